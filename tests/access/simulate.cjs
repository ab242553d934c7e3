// Asks iam-simulate for a batch of decisions: a JSON document on standard input, a JSON array on standard output.
const { readFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { runSimulation } = require('@cloud-copilot/iam-simulate')

// Which kinds of resource an ARN can be is worked out anew for each decision, and takes most of the time: remember it.
const kinds = require(join(dirname(require.resolve('@cloud-copilot/iam-utils')), 'resourceTypes.js'))
const compute = kinds.mostSpecificMatchingResourceTypePatterns
const known = new Map()
kinds.mostSpecificMatchingResourceTypePatterns = (arn, patterns) => {
  const question = [arn, ...patterns].join('\n')
  if (!known.has(question)) known.set(question, compute(arn, patterns))
  return known.get(question)
}

// Names of condition operators, which are ASCII, are compared by the rules of languages: a quarter of the time.
const texts = require(join(dirname(require.resolve('@cloud-copilot/iam-policy')), 'utils.js'))
texts.caseInsensitiveEquals = (first, second) => first.toLowerCase() === second.toLowerCase()
texts.caseInsensitiveEndsWith = (value, suffix) => value.toLowerCase().endsWith(suffix.toLowerCase())

// Keys of an encryption context have free names. iam-simulate 0.1.173 knows the pattern and ignores every name in its
// place, so the one name that our policies use takes the place of the pattern, in policies and requests alike.
const input = readFileSync(0, 'utf8')
const names = new Set(Array.from(input.matchAll(/"kms:EncryptionContext:([^"]+)"/gi), (match) => match[1]))
if (names.size > 1) throw new Error(`one name of an encryption context at most, got ${[...names]}`)
const { policies, cases } = JSON.parse(
  input.replaceAll(/"kms:EncryptionContext:[^"]+"/gi, '"kms:EncryptionContext:${EncryptionContextKey}"'),
)
const named = (ids) => ids.map((id) => ({ name: policies[id].name, policy: policies[id].body }))

async function decide(one) {
  const answer = await runSimulation(
    {
      request: {
        principal: one.principal,
        action: one.action,
        resource: { resource: one.resource, accountId: one.account },
        contextVariables: one.context,
      },
      identityPolicies: named(one.identity),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: one.guard === null ? undefined : policies[one.guard].body,
      permissionBoundaryPolicies: one.boundary === null ? undefined : named([one.boundary]),
    },
    {},
  )
  if (answer.resultType === 'error') return { error: JSON.stringify(answer.errors) }
  return { allowed: answer.overallResult === 'Allowed' }
}

async function main() {
  const answers = []
  for (const one of cases) answers.push(await decide(one))
  process.stdout.write(JSON.stringify(answers))
}
main()

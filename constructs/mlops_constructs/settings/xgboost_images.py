"""Where the images of the built-in XGBoost algorithm are: one account per region, one tag per version.

Source: `image_uri_config/xgboost.json` of sagemaker-python-sdk (2026-07-09); versions 1.7-1, 3.0-5 and 3.2-0 share the
accounts below, for training and for inference. The regions of this table are the regions that settings may name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY: Final = "sagemaker-xgboost"

VERSIONS: Final = ("3.0-5",)
"""The versions that this application offers: those that its rehearsal represents."""

ACCOUNTS: Final[Mapping[str, str]] = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-iso-east-1": "833128469047",
    "us-isob-east-1": "281123927165",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
"""The account that holds the images, by region."""

_DOMAINS: Final[Mapping[str, str]] = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}

_ADVICE: Final[Mapping[str, str]] = {
    "latest": "the tag 'latest' is the image of 2017 (XGBoost 0.72), in other accounts",
    "1": "the tag '1' is the image of 2017 (XGBoost 0.72), in other accounts",
    "3.2-0": "AWS offers 3.2-0, but the rehearsal does not represent it yet",
}


def refusal(version: str) -> str | None:
    """Say why an image version is refused; None where it is offered."""
    if version in VERSIONS:
        return None
    return _ADVICE.get(version, "is not an image version that this application offers")


def image_uri(version: str, region: str) -> str:
    """Name the image of the built-in XGBoost algorithm.

    Raises:
        ValueError: The version is not offered, or the region has no image.
    """
    if (reason := refusal(version)) is not None:
        msg = f"XGBoost image version {version!r}: {reason}; use one of {', '.join(VERSIONS)}"
        raise ValueError(msg)
    if region not in ACCOUNTS:
        msg = f"there is no XGBoost image in region {region!r}; use one of {', '.join(ACCOUNTS)}"
        raise ValueError(msg)
    domain = next((domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix)), "amazonaws.com")
    return f"{ACCOUNTS[region]}.dkr.ecr.{region}.{domain}/{REPOSITORY}:{version}"

"""Bodies: what is well formed is read at once, what is not is told with row and column, both by the same rules."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.payload import PayloadError, SingleRow, read_csv, read_json
from tabular.payload import _slow_csv as slow_csv

GOOD_CSV = {
    "plain": b"1,2\n3,4\n",
    "no last line end": b"1,2\n3,4",
    "line ends of DOS": b"1,2\r\n3,4\r\n",
    "blanks": b" 1 ,\t2\n3 , 4\n",
    "quotes": b'"1",2\n3,"4"\n',
    "signs and dots": b"+1,2.\n3e0,04\n",
    "exponents": b"1E0,.2e1\n3.0,400e-2\n",
}
BAD_CSV = {
    b"1,2\n3,x\n": 'row 2, column 2: the cell is "x", which is no number',
    b"1,2\n3\n": "row 2, column 2: the row has 1 columns; expected 2",
    b"1,2,3\n": "row 1, column 3: the row has 3 columns; expected 2",
    b"1,\n": "row 1, column 2: the cell is empty",
    b"1,2\n\n3,4\n": "row 2, column 1: the row is empty",
    b"\n": "row 1, column 1: the row is empty",
    b"a,b\n1,2\n": "row 1, column 1",
    b"1,nan\n": 'row 1, column 2: the cell is "nan"',
    b"1,-inf\n": "row 1, column 2",
    b"1,1e39\n": 'row 1, column 2: the cell is "1e39", which is too large',
    b"1,1e999\n": "too large",
    b"1,0x10\n": "row 1, column 2",
    b"1,1_0\n": "row 1, column 2",
    b"1,- 2\n": "row 1, column 2",
    b"1,1 2\n": "row 1, column 2",
    b"1;2\n": "row 1, column 2: the row has 1 columns",
    b'1,"2\n': "row 1, column 2: quotation marks are wrong",
    b"1,2\n3,\xff\n": "row 2, column 2: the body is no UTF-8",
    b"1,\x00\n": "row 1, column 2",
    "1,\u0664\n".encode(): "row 1, column 2",
    b"\r": "row 1, column 1",
    b"1,2\r3,4": "row 1",
}
BAD_JSON = {
    b"": "no JSON",
    b"{": "no JSON",
    b"[[1,2]]": 'expected {"instances": [[...], ...]}',
    b"null": "expected",
    b'{"instances":[]}': "row 1, column 1: there are no rows",
    b'{"instances":{}}': "expected",
    b'{"instances":[1,2]}': "row 1, column 1: the row is 1; expected a list of 2 numbers",
    b'{"instances":[[1,2],[3]]}': "row 2, column 2: the row has 1 columns; expected 2",
    b'{"instances":[[1,2],[]]}': "row 2, column 1: the row is empty",
    b'{"instances":[[1,2,3]]}': "row 1, column 3",
    b'{"instances":[[1,null]]}': "row 1, column 2: the cell is missing",
    b'{"instances":[[1,"2"]]}': 'row 1, column 2: the cell is "2", which is no number',
    b'{"instances":[[true,2]]}': "row 1, column 1: the cell is true",
    b'{"instances":[[1,[2]]]}': "row 1, column 2",
    b'{"instances":[[1,1e39]]}': "too large",
    b'{"instances":[[1,99999999999999999999999999999999999999999]]}': "row 1, column 2",
    b'{"instances":[[1,NaN]]}': "no JSON",
    b'{"inst ances":[[1,2]]}': "expected",
    b'{"instances":[[1,2]],"more":1': "no JSON",
    b'{"instances":[[1,2]]}x': "no JSON",
    b'{"instances":[[1,2],]}': "no JSON",
    b"[" * 5000: "no JSON",
    b'{"instances":' + b"[" * 5000 + b"]" * 5000 + b"}": "no JSON",
    b"\xff": "no JSON",
    b'{"instances":[[[1,2]]]}': "row 1, column 2",
}


@pytest.mark.parametrize("body", GOOD_CSV.values(), ids=GOOD_CSV)
def test_every_way_to_write_numbers_in_csv_is_read(body: bytes) -> None:
    assert read_csv(body, 2).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "body", [b'{"instances":[[1,2],[3,4]]}', b' {"instances" : [ [1.0, 2e0],\n[3,4]] , "id": "x"} ']
)
def test_json_with_instances_is_read(body: bytes) -> None:
    assert read_json(body, 2).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("body", "said"), BAD_CSV.items(), ids=map(repr, BAD_CSV))
def test_malformed_csv_is_refused_with_row_and_column(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError) as raised:
        read_csv(body, 2)
    assert said in str(raised.value)
    assert SingleRow(2).csv(body) is None


@pytest.mark.parametrize(
    ("body", "said"), BAD_JSON.items(), ids=[repr(body[:60]) + str(len(body)) for body in BAD_JSON]
)
def test_malformed_json_is_refused_with_row_and_column(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError) as raised:
        read_json(body, 2)
    assert said in str(raised.value)
    assert SingleRow(2).json(body) is None


def test_the_reason_never_repeats_a_long_cell() -> None:
    with pytest.raises(PayloadError) as raised:
        read_csv(b"1," + b"x" * 100_000, 2)
    assert len(str(raised.value)) < 120


NUMBERS = st.one_of(st.floats(-3e38, 3e38), st.floats(-10, 10, width=32), st.integers(-(10**25), 10**25))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1)))
def test_the_fast_way_and_the_careful_way_read_the_same(rows: list[list[Any]]) -> None:
    features = len(rows[0])
    as_csv = "".join(f"{','.join(map(repr, row))}\n" for row in rows).encode()
    as_json = json.dumps({"instances": rows}).encode()
    careful = slow_csv(as_csv, features)
    assert np.array_equal(read_csv(as_csv, features), careful)
    assert np.array_equal(read_json(as_json, features), careful)
    assert np.array_equal(careful, np.array(rows, dtype=np.float64).astype(np.float32))
    single = SingleRow(features)
    for row, wanted in zip(rows, careful.tolist(), strict=True):
        read = single.csv(",".join(map(repr, row)).encode())
        assert read == (None if any(map(math.isinf, wanted)) else tuple(wanted))
        assert single.json(json.dumps({"instances": [row]}).encode()) == read


CELLS = st.one_of(
    NUMBERS.map(repr),
    st.sampled_from(
        ["", "nan", "inf", "1e999", "1_0", "+1", ".5", "1.", "-", "e", "1e", "--1", "01", "0x1", " 2", '"3"', "\u0661"]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_whatever_the_fast_way_takes_the_careful_way_takes_alike(rows: list[list[str]]) -> None:
    body = "\n".join(map(",".join, rows)).encode()

    def outcome(read: Any) -> Any:
        try:
            return read(body, 2).tolist()
        except PayloadError as error:
            return str(error)

    wanted = outcome(slow_csv)
    assert outcome(read_csv) == wanted
    single = SingleRow(2).csv(body)
    assert single is None or [list(single)] == wanted

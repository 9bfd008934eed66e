"""What the text of an unexpected database error may say: it ends in the log."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from segmentd.store import Store
from segmentd.store.bulk import Bulk

WRONG = "INSERT INTO dirty (profile_id, token, city) VALUES "
PERSON = "Musterstadt"


def test_i14_values_are_not_in_the_error_of_a_mapped_statement(store: Store) -> None:
    with pytest.raises(DBAPIError) as caught, store._database.write() as connection:
        connection.execute(text(WRONG + "(1, 1, :city)"), {"city": PERSON})
    assert PERSON not in str(caught.value)


def test_i14_values_are_not_in_the_error_of_a_bulk_statement(store: Store) -> None:
    with pytest.raises(DBAPIError) as caught, store._database.write() as connection:
        Bulk(connection, sqlite=store._database.sqlite).execute(WRONG + "(1, 1, ?)", PERSON)
    assert PERSON not in str(caught.value)

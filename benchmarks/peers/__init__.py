"""The thirty rules of ``benchmarks.rules`` decided in other ways, with the same memberships.

``pandas`` over Arrow is what somebody would write by hand for these rules alone; the same with
``read_sql``, DuckDB over Arrow and Polars over Arrow stand beside it. All of them read the tables
of segmentd's store, compare with the stored memberships and write the changes. None keeps due
instants, causes, cuts, or history beyond entered and left, and none can do a part of the shop.

    python -m benchmarks.peers NAME URL
"""

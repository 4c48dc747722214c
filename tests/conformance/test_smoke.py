def test_now(store, clock):
    assert store.read(lambda tx: tx.row("now")) == (clock.now_ms,)
    clock.advance(2)
    assert store.read(lambda tx: tx.row("now")) == (clock.now_ms,)

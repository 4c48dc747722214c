"""What is to be done so that every layer has its tables, with the state that it had under other names or other keys."""

from collections.abc import Sequence
from typing import Any

from penstock.domain.errors import LayerCarried, StateUnclear
from penstock.store.layers import GONE, LAYER_VERSION, LayerTable, Registered, Stage, Step, outdated, registered
from penstock.store.port import Transaction

NAME_LAYERS = ("sync_reads", "layer_shapes", "renderers", "buckets", "cursors", "intents", "removals", "approvals",
               "contacts", "removed_rows")
"""The tables that have rows of layers, each with a column `layer_table`."""


def stages(tx: Transaction, layers: Sequence[LayerTable]) -> list[Stage]:
    """What is to be done until every layer has its tables, with the state that they had under other names or keys.

    Raises `LayerCarried` for an app of before, and `StateUnclear` where it cannot be told which state is the true one.
    """
    found = registered(tx) if layers else {}
    if fault := outdated(found, layers):
        raise LayerCarried(fault)
    todo: list[Stage] = []
    for layer in layers:
        if not layer.claims and layer.former:
            todo += _brought(tx, layer, found, f"{layer.state}_claims" in {each.table for each in layers})
    for layer in layers:
        mine = found.get(layer.table)
        if mine is None or mine.version < LAYER_VERSION:
            todo.append(Stage(f"layer {layer.table}", _made(layer, mine)))
        if mine is not None and mine.version != GONE and layer.keys not in (None, mine.keys):
            todo.append(_rekeyed(layer, mine))
    return todo


def _made(layer: LayerTable, mine: Registered | None) -> list[Step]:
    """A layer's table made, or made anew with its rows; what a table of this name left behind does not count."""
    register = Step("layer_register", {
        "layer_table": layer.table, "sync": layer.sync, "layer": layer.layer, "version": LAYER_VERSION,
        "keys": layer.keys, "keys_were": layer.keys_were})
    if mine is None:
        return [Step(layer.statement, layer=layer.state), register]
    if mine.version == GONE:
        return [*_cleared(layer.table), Step("layer_unregister", {"layer_table": layer.table}),
                Step(layer.statement, layer=layer.state), register]
    if mine.version == 1:
        names = ["bring_claims_along"] if layer.claims else ["set_layer_aside", layer.statement, "bring_layer_back"]
    else:
        names = ["bring_claims_along_again"] if layer.claims else []
    return [*(Step(name, layer=layer.state) for name in names), register]


def _brought(tx: Transaction, layer: LayerTable, found: dict[str, Registered], claims: bool) -> list[Stage]:
    """Bring along what a layer's state was under a former name; `found` then says what is there after it."""
    def is_there(table: str) -> bool:
        return table in found and found[table].version != GONE

    def has_rows(table: str) -> bool:
        row = tx.row("layer_has_rows", layer=table)
        return bool(row and row[0])

    mine = is_there(layer.state)
    former = [each for each in layer.former if is_there(each.table)]
    full = [each for each in former if has_rows(each.table)]
    if len(full) + (mine and has_rows(layer.state)) > 1:
        tables = " and in ".join([each.table for each in full] + [layer.state] * mine)
        raise StateUnclear(
            f"layer {layer.layer} of {layer.sync}: expected state under one name, got rows in {tables}:"
            " one of them is to go. Look at both, drop the tables that are wrong (with their _claims, if they have any)"
            " and delete their rows from the table of layers; or, to go on with the newest and leave the other where it"
            " is, take away was=")
    if not former or (mine and not full):
        return []
    [chosen] = full or former[:1]
    steps = [Step("lock_admission"), Step("runs_put_back", {"sync": chosen.sync})]
    before = found[chosen.table]
    if chosen.sync != layer.sync:
        steps += renamed_sync(layer.sync, chosen.sync)
    if before.version < LAYER_VERSION:
        steps += _made(LayerTable(chosen.table, chosen.sync, chosen.layer), before)
    for table in (f"{layer.state}_claims", layer.state):
        if is_there(table):
            steps.append(Step("layer_drop", layer=table))
        if table in found:
            steps.append(Step("layer_unregister", {"layer_table": table}))
    steps += [Step("create_layer", layer=layer.state)]
    steps += [Step("create_claims", layer=layer.state)] if claims else []
    steps += [Step("layer_bring", layer=layer.state, former=chosen.table)]
    register: dict[str, Any] = {"version": LAYER_VERSION, "sync": layer.sync, "layer": layer.layer}
    if is_there(f"{chosen.table}_claims"):
        if claims:
            steps.append(Step("claims_bring", layer=layer.state, former=chosen.table))
        steps += [Step("layer_drop", layer=f"{chosen.table}_claims"),
                  Step("layer_unregister", {"layer_table": f"{chosen.table}_claims"})]
        del found[f"{chosen.table}_claims"]
    steps += [Step("layer_drop", layer=chosen.table), *_cleared(layer.state)]
    steps += [Step("layer_rows_rename", {"layer_table": layer.state, "was": chosen.table}, layer=table)
              for table in NAME_LAYERS]
    steps += [
        Step("approvals_rename", {"layer_table": layer.state, "sync": layer.sync, "layer": layer.layer}),
        Step("layer_brought", {**register, "layer_table": layer.state, "was": chosen.table}),
        Step("layers_gone_follow", {"gone": GONE, "sync": layer.sync, "layer": layer.layer, "was_sync": chosen.sync,
                                    "was_layer": chosen.layer}),
        Step("layer_gone", {"layer_table": chosen.table, "sync": layer.sync, "layer": layer.layer, "gone": GONE}),
    ]
    found[chosen.table] = before._replace(version=GONE, sync=layer.sync, layer=layer.layer)
    found[layer.state] = before._replace(table=layer.state, version=LAYER_VERSION, sync=layer.sync, layer=layer.layer)
    if claims:
        found[f"{layer.state}_claims"] = Registered(f"{layer.state}_claims", LAYER_VERSION, layer.sync, layer.layer, 0)
        steps.append(Step("layer_register", {**register, "layer_table": f"{layer.state}_claims", "keys": None,
                                             "keys_were": None}))
    return [Stage(f"layer {layer.state}, which was {chosen.table}", steps)]


def renamed_sync(sync: str, was: str) -> list[Step]:
    """Requests and runs of a sync under its new name; what is about to run twice is requested again."""
    names = {"sync": sync, "was": was}
    return [Step(name, names) for name in ("requests_rename", "runs_request_again", "runs_supersede", "runs_rename",
                                            "statistics_rename", "statistics_forget", "lines_forget_sync")]


def _rekeyed(layer: LayerTable, mine: Registered) -> Stage:
    """Set the rows apart that are known by other keys than the source has now; each moves when its record is read."""
    note = Step("layer_note_keys", {"layer_table": layer.table, "keys": layer.keys,
                                    "keys_were": layer.keys_were or mine.keys_were})
    if layer.keys_were is None:
        return Stage(f"keys of {layer.table}: {layer.keys}", [note], needed=False)
    if mine.keys not in (None, layer.keys_were):
        raise StateUnclear(f"layer {layer.layer} of {layer.sync}: key_was says {layer.keys_were}, and the rows of its"
                           f" state have the keys {mine.keys}: expected key_was={mine.keys!r}, or that the version of"
                           f" the app whose key is {layer.keys_were} had run `penstock migrate` before")
    names = ("layer_keys_were", "approvals_keys_were", "intents_keys_were")
    return Stage(f"keys of {layer.table}: {layer.keys}, which were {layer.keys_were}", [
        Step("lock_admission"), Step("runs_put_back", {"sync": layer.sync}),
        Step(names[0], layer=layer.state),
        *(Step(name, {"layer_table": layer.table}) for name in names[1:]), note])


def _cleared(table: str) -> list[Step]:
    return [Step("layer_rows_remove", {"layer_table": table}, layer=each) for each in NAME_LAYERS]

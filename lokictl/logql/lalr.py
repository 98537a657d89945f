"""Makes LALR(1) tables from a grammar as yacc does: same conflict resolution, same default reductions.

Loki's messages list the tokens that yacc's automaton could still shift after its default reductions, so the
automaton itself is part of the contract.  Run as a module, this writes `lokictl.logql.parser_tables`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lokictl.logql.grammar import PRECEDENCE, RULES, TOKENS
from lokictl.records import dataclass

Rule = tuple[str, str, tuple[str, ...]]
Item = tuple[int, int]

END = "$end"
START = "$accept"


@dataclass(frozen=True)
class Tables:
    """``shifts[state]`` token -> state, ``gotos[state]`` left side -> state; ``defaults[state]`` the rule reduced on
    any token that is neither shifted nor in ``reduces[state]`` (-1: none, an error); ``accept`` is the final state.
    """

    shifts: list[dict[str, int]]
    reduces: list[dict[str, int]]
    defaults: list[int]
    gotos: list[dict[str, int]]
    accept: int


class Builder:
    """Builds the tables of one grammar; the first rule's left side is the start symbol."""

    def __init__(
        self, rules: Sequence[Rule], tokens: Sequence[str], precedence: Sequence[tuple[str, tuple[str, ...]]]
    ) -> None:
        self.rules: list[Rule] = [(START, "", (rules[0][0],)), *rules]
        self.tokens = (END, *tokens)
        self.nonterminals = {left for left, _, _ in self.rules}
        self.by_left: dict[str, list[int]] = {}
        for index, (left, _, _) in enumerate(self.rules):
            self.by_left.setdefault(left, []).append(index)
        self.levels = {
            token: (level, side) for level, (side, names) in enumerate(precedence) for token in names
        }
        self.nullable = self._nullable()
        self.firsts = self._firsts()

    def _nullable(self) -> set[str]:
        found: set[str] = set()
        while True:
            more = {left for left, _, right in self.rules if all(symbol in found for symbol in right)}
            if more <= found:
                return found
            found |= more

    def _firsts(self) -> dict[str, set[str]]:
        firsts: dict[str, set[str]] = {name: set() for name in self.nonterminals}
        changed = True
        while changed:
            changed = False
            for left, _, right in self.rules:
                before = len(firsts[left])
                firsts[left] |= self.first_of(right, firsts)
                changed |= len(firsts[left]) != before
        return firsts

    def first_of(self, symbols: Iterable[str], firsts: dict[str, set[str]]) -> set[str]:
        found: set[str] = set()
        for symbol in symbols:
            if symbol not in self.nonterminals:
                return found | {symbol}
            found |= firsts[symbol]
            if symbol not in self.nullable:
                return found
        return found

    # --- states ------------------------------------------------------------------------------------------

    def closure(self, kernel: frozenset[Item]) -> list[Item]:
        items, seen = list(kernel), set(kernel)
        for rule, dot in items:
            right = self.rules[rule][2]
            if dot < len(right) and right[dot] in self.nonterminals:
                for index in self.by_left[right[dot]]:
                    if (index, 0) not in seen:
                        seen.add((index, 0))
                        items.append((index, 0))
        return items

    def states(self) -> tuple[list[frozenset[Item]], list[dict[str, int]]]:
        kernels = [frozenset({(0, 0)})]
        index = {kernels[0]: 0}
        transitions: list[dict[str, int]] = []
        for kernel in kernels:
            moves: dict[str, set[Item]] = {}
            for rule, dot in self.closure(kernel):
                right = self.rules[rule][2]
                if dot < len(right):
                    moves.setdefault(right[dot], set()).add((rule, dot + 1))
            row = {}
            for symbol, items in moves.items():
                target = frozenset(items)
                if target not in index:
                    index[target] = len(kernels)
                    kernels.append(target)
                row[symbol] = index[target]
            transitions.append(row)
        return kernels, transitions

    # --- lookaheads: propagated from kernel item to kernel item --------------------------------------------

    def lookaheads(
        self, kernels: list[frozenset[Item]], transitions: list[dict[str, int]]
    ) -> list[dict[Item, set[str]]]:
        found: list[dict[Item, set[str]]] = [{item: set() for item in kernel} for kernel in kernels]
        found[0][0, 0].add(END)
        links: dict[tuple[int, Item], list[tuple[int, Item]]] = {}
        for state, kernel in enumerate(kernels):
            for item in kernel:
                for (rule, dot), ahead in self.closure_with_lookahead(item, {"#"}).items():
                    right = self.rules[rule][2]
                    if dot >= len(right):
                        continue
                    target = (transitions[state][right[dot]], (rule, dot + 1))
                    found[target[0]][target[1]] |= ahead - {"#"}
                    if "#" in ahead:
                        links.setdefault((state, item), []).append(target)
        work = [(state, item) for state, kernel in enumerate(kernels) for item in kernel]
        while work:
            state, item = work.pop()
            for next_state, next_item in links.get((state, item), ()):
                before = len(found[next_state][next_item])
                found[next_state][next_item] |= found[state][item]
                if len(found[next_state][next_item]) != before:
                    work.append((next_state, next_item))
        return found

    def closure_with_lookahead(self, item: Item, ahead: set[str]) -> dict[Item, set[str]]:
        found = {item: set(ahead)}
        work = [item]
        while work:
            current = work.pop()
            rule, dot = current
            right = self.rules[rule][2]
            if dot >= len(right) or right[dot] not in self.nonterminals:
                continue
            rest = right[dot + 1 :]
            follow = self.first_of(rest, self.firsts)
            if all(symbol in self.nullable for symbol in rest):
                follow |= found[current]
            for index in self.by_left[right[dot]]:
                target = (index, 0)
                known = found.setdefault(target, set())
                if not follow <= known or target not in found:
                    known |= follow
                    work.append(target)
        return found

    # --- actions -------------------------------------------------------------------------------------------

    def build(self) -> Tables:
        kernels, transitions = self.states()
        ahead = self.lookaheads(kernels, transitions)
        shifts: list[dict[str, int]] = []
        reduces: list[dict[str, int]] = []
        defaults: list[int] = []
        accept = 0
        for state, kernel in enumerate(kernels):
            row = {
                symbol: target
                for symbol, target in transitions[state].items()
                if symbol not in self.nonterminals
            }
            reductions: dict[str, int] = {}
            for item in kernel:
                for (rule, dot), tokens in self.closure_with_lookahead(item, ahead[state][item]).items():
                    if dot == len(self.rules[rule][2]):
                        if rule == 0:
                            accept = state
                            continue
                        for token in tokens:
                            self.add_reduction(row, reductions, token, rule)
            default = self.default(reductions)
            shifts.append(row)
            defaults.append(default)
            reduces.append({token: rule for token, rule in reductions.items() if rule != default})
        gotos = [
            {symbol: target for symbol, target in row.items() if symbol in self.nonterminals}
            for row in transitions
        ]
        return Tables(shifts, reduces, defaults, gotos, accept)

    def add_reduction(self, row: dict[str, int], reductions: dict[str, int], token: str, rule: int) -> None:
        """Adds a reduction, settling conflicts as yacc does: by precedence, else shift, else the earlier rule."""
        if token in row:
            rule_level = self.level(rule)
            token_level = self.levels.get(token)
            if rule_level is None or token_level is None or token_level[0] > rule_level[0]:
                return
            if token_level[0] == rule_level[0] and token_level[1] == "right":
                return
            del row[token]
        reductions[token] = min(rule, reductions.get(token, rule))

    def level(self, rule: int) -> tuple[int, str] | None:
        terminals = [symbol for symbol in self.rules[rule][2] if symbol not in self.nonterminals]
        return self.levels.get(terminals[-1]) if terminals else None

    def default(self, reductions: dict[str, int]) -> int:
        """The reduction of most tokens; of equals, the one that comes first in the order of tokens."""
        counts = Counter(reductions.values())
        best, times = -1, 0
        for token in self.tokens:
            rule = reductions.get(token)
            if rule is not None and counts[rule] > times:
                best, times = rule, counts[rule]
        return best


def tables() -> Tables:
    """The tables of LogQL's grammar; rule numbers count from 1 (0 is the start rule)."""
    return Builder(RULES, TOKENS, PRECEDENCE).build()


def source() -> str:
    """The text of `lokictl.logql.parser_tables`."""
    made = tables()
    lines = [
        '"""Made by `make tables` from `lokictl.logql.grammar`; do not edit."""',
        "",
        "# fmt: off",
        f"ACCEPT = {made.accept}",
    ]
    for name, rows in (("SHIFTS", made.shifts), ("REDUCES", made.reduces), ("GOTOS", made.gotos)):
        lines += [
            f"{name}: list[dict[str, int]] = [",
            *(f"    {dict(sorted(row.items()))!r}," for row in rows),
            "]",
        ]
    lines += [f"DEFAULTS: list[int] = {made.defaults!r}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_name("parser_tables.py").write_text(source(), encoding="utf-8")

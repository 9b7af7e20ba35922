"""What cells of a notebook bind, read and tell, from their source alone."""

import ast
import importlib.util
import itertools
import re
import symtable

from played import FOLDER, LEDGER


def build_tool():
    """notebooks/build.py, as a module of its own."""
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- names


class _Names(ast.NodeVisitor):
    """The names of the notebook that a cell reads and binds, in the order in which Python does so.

    What functions and classes read inside counts as read at the end of the cell: they may be called from then on.
    """

    def __init__(self, source):
        self.events, self.at_the_end = [], set()  # ("read" or "bind", name)
        self.own = []  # names of the comprehensions that we are in
        self.visit(ast.parse(source))
        self.events += [("read", name) for name in sorted(self.at_the_end)]

    def _bind(self, name):
        self.events.append(("bind", name))

    def _each(self, *nodes):
        for node in nodes:
            if isinstance(node, list):
                self._each(*node)
            elif node is not None:
                self.visit(node)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif not any(node.id in names for names in self.own):
            self.events.append(("read", node.id))

    def visit_Assign(self, node):
        self._each(node.value, node.targets)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self.events.append(("read", node.target.id))
        self._each(node.value, node.target)

    def visit_AnnAssign(self, node):
        self._each(node.annotation, node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_NamedExpr(self, node):
        self._each(node.value)
        self._bind(node.target.id)  # in a comprehension, too

    def visit_For(self, node):
        self._each(node.iter, node.target, node.body, node.orelse)

    visit_AsyncFor = visit_For

    def visit_Import(self, node):
        for alias in node.names:
            self._bind(alias.asname or alias.name.split(".")[0])

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node):
        self._each(node.type)
        if node.name:
            self._bind(node.name)
        self._each(node.body)

    def visit_MatchAs(self, node):
        self.generic_visit(node)
        if node.name:
            self._bind(node.name)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node):
        self.generic_visit(node)
        if node.rest:
            self._bind(node.rest)

    def visit_FunctionDef(self, node):
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        annotations = [each.annotation for each in every if each]
        self._each(node.decorator_list, node.args.defaults, node.args.kw_defaults, annotations, node.returns)
        self._inside(node)
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self._each(node.decorator_list, node.bases, [each.value for each in node.keywords])
        self._inside(node)
        self._bind(node.name)

    def visit_Lambda(self, node):
        self._each(node.args.defaults, node.args.kw_defaults)
        self._inside(node)

    def _inside(self, node):
        """What a function or a class takes from the notebook; and what it puts there, by ``global``."""

        def walk(table):
            for symbol in table.get_symbols():
                if symbol.is_global() and symbol.is_referenced():
                    self.at_the_end.update({symbol.get_name()} - set().union(*self.own))
                if symbol.is_declared_global() and symbol.is_assigned():
                    self._bind(symbol.get_name())
            for child in table.get_children():
                walk(child)

        for child in symtable.symtable(ast.unparse(node), "cell", "exec").get_children():
            walk(child)

    def _comprehension(self, node):
        self.own.append(set())
        for each in node.generators:
            self._each(each.iter)
            names = [n for n in ast.walk(each.target) if isinstance(n, ast.Name)]
            self.own[-1].update(name.id for name in names if isinstance(name.ctx, ast.Store))
            self._each(each.ifs)
        self._each(*((node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)))
        self.own.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def taken_from_proofs(cells):
    """(cell's id, name) for each name that a cell reads, and only proof cells have bound: without these it would not run.

    ``cells`` has (id, whether it is a proof, source) for each code cell. ``x.y = 1`` and ``d[k] = 1`` read x and d, and bind nothing.
    """
    names = [(name, proof, _Names(source).events) for name, proof, source in cells]
    bound = {
        side: {what for _, proof, events in names if proof == side for do, what in events if do == "bind"}
        for side in (True, False)
    }
    only, found = bound[True] - bound[False], []
    by_proofs, by_others = set(), set()  # so far
    for name, proof, events in names:
        for do, what in events:
            if do == "bind":
                (by_proofs if proof else by_others).add(what)
            elif not proof and what not in by_others and what in only | by_proofs and (name, what) not in found:
                found.append((name, what))
    return found


# ---- numbers told in prose

_LABEL = rf"(?<![\w-])(?:{'|'.join({label.split('-')[0] for labels in LEDGER.values() for label in labels})})-\d+(?!\w)"
_SOURCE = re.compile(  # an exact one, a check, or a paper's table
    rf"\bexact(?:ly)?\b|\bby definition\b|\bcheck(?:ed|s)?\b|(?:19|20)\d\d[a-z]?, (?:table|section|figure) \d|{_LABEL}",
    flags=re.I,
)
_SEEN = re.compile(r"^\*\*What you saw\.\*\*.*?(?=^#|^\*\*(?!What you saw)|\Z)", flags=re.S | re.M)
_ADVICE = re.compile(r"^Try it\b")

_AWAY = re.compile(  # no prose, or another's
    r"```.*?```|<details\b.*?</details>|\$\$.*?\$\$|`[^`\n]*`|(?<![\\\w])\$(?!\s)[^$\n]+?\$|!?\[[^\]]*\]\([^)]*\)|https?://\S+|<[^>\n]*>"
    r"|^[ \t]*#{1,6} [^\n]*$|^[ \t]*(?:[-*+] |> ?)?\d+[.)](?=\s)",
    flags=re.S | re.M,
)
_LIST = r"\d+(?:\.\d+)?(?:(?:, | and | or | to |–)\d+(?:\.\d+)?)*"
_NAMES = re.compile(  # numbers by which something is called
    rf"{_LABEL}|(?i:\b(?:notebooks?|sections?|chapters?|equations?|eqs?\.|figures?|tables?|exercises?)) {_LIST}|\bStep \d+"
    r"|(?<![\w.])0\d(?:\.\d{1,2})?(?!\.?\d)"  # notebook 05, exercise 05.1
    r"|\bal\.,? (?:19|20)\d\d[a-z]?\b|\((?:19|20)\d\d[a-z]?\)|\b[A-Z][\w’'-]*,? (?:19|20)\d\d[a-z]?(?=[;,)])"  # Welling 2014)
    r"|\b[A-Za-z]+(?:-[A-Za-z]+)*-\d+\b|\b(?:8|16|32|64)-bit\b|\b[123]-?[dD]\b"  # CIFAR-10, 32-bit, 2-D
    r"|\b(?:upper|lower|left|right) hal(?:f|ves)\b"
)
_DIGITS = re.compile(r"(?<![\w.])\d+(?:[,_]\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?", flags=re.I)

_CARDINALS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    "|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"
)
_MANY = rf"(?:{_CARDINALS}|thirty|forty|fifty|sixty|seventy|eighty|ninety|a few|several)"
_PART = "(?:third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|twentieth|hundredth|thousandth)"
_WORDS = re.compile(
    r"\b(?:"
    r"half|halves|halved|halving|twice|thrice|doubl(?:e[sd]?|ing)(?! precision)|tripl(?:e[sd]?|ing)"
    r"|(?:two|three|four|five|ten|hundred|many)-?fold"
    rf"|(?:(?:one|{_MANY})[ -])?{_PART}s|(?:a|one)[ -]{_PART}(?= (?:of|more|less|fewer|as|to)\b|[.,;:!?)]|\s*$)"
    rf"|(?:one|{_MANY}) (?:out of|in|of) (?:every )?{_MANY}|{_MANY} of (?:the|its|their|these|those|them|all)"
    rf"|(?:about|around|some|over|under|at least|at most|(?:more|less|fewer) than|up to) {_MANY}"
    rf"|{_MANY} (?:nats?|bits?|percentage points?|times|epochs?|orders?|standard (?:errors?|deviations?)|seconds?|minutes?)"
    r"|most of|majority|minority|nearly|almost(?! (?:everywhere|surely|all))|roughly|approximately|about as (?:\w+)|hardly any"
    r"|dozens?|hundreds?|thousands?|millions?|per ?cent|orders? of magnitude"
    r")\b",
    flags=re.I,
)


def _sentences(markdown):
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+>|]|\d+[.)])\s)", _AWAY.sub(" ⋯ ", markdown)):
        words = " ".join(re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", paragraph).split())
        yield from re.split(r"(?<=[.!?])(?<!\bal\.)(?<!\beq\.)(?<!eqs\.)(?<!e\.g\.)(?<!i\.e\.)\)?\s+", words)


def _values(text):
    return {float(n.strip(" %").replace(",", "").replace("_", "")) for n in _DIGITS.findall(text)}


def figures_told(markdown, code):
    """(number, sentence) for each number, in digits or words, that the prose after a run tells.

    It was true of one run, and another machine or seed may give another: so a notebook says such things in the run's own output.
    None of them are numbers that the code above has, and those of a sentence that names an exact source: "exact", "by definition", an
    equation, a check, a paper's table. Names are none either: notebooks, exercises, equations, years of papers,
    CIFAR-10. Nor are counts such as "two models".
    """
    known, cardinals, told = _values(code), _CARDINALS.split("|"), []
    for sentence in _sentences(markdown):
        if _SOURCE.search(sentence) or _ADVICE.search(sentence):
            continue
        rest, found = _NAMES.sub(" ⋯ ", sentence), []
        for match in _DIGITS.finditer(rest):
            (value,) = _values(match[0])
            if not {value, value / 100 if "%" in match[0] else value} & known:
                found.append((match.start(), match[0]))
        for match in _WORDS.finditer(rest):
            counted = [cardinals.index(word) + 2 for word in match[0].lower().split() if word in cardinals]
            share = re.search(rf"\b(?:of|in|{_PART}s?)\b", match[0], flags=re.I)  # of which the code has no number
            if share or not counted or not known.issuperset(counted):
                found.append((match.start(), match[0]))
        told += [(what, sentence) for _, what in sorted(found)]
    return told


def figures_told_after_runs(cells):
    """(cell's id, number, sentence) for each number that a markdown cell tells of a run: under **What you saw.**, after outputs.

    What follows there, a heading or another paragraph that begins in bold, is of the next section.
    """
    return [
        (cell.id, what, sentence)
        for above, cell in itertools.pairwise(cells)
        if cell.cell_type == "markdown" and above.get("outputs")
        for seen in _SEEN.findall(cell.source)
        for what, sentence in figures_told(seen, above.source)
    ]

"""LogQL's grammar as data: one line per rule, in the notation of yacc.

The tables of `lokictl.logql.parser_tables` are made from it by `make tables`; each rule's name after
the ``:=`` is the method of `lokictl.logql.parser` that builds its expression.  Tokens are named as Loki's error
messages name them.
"""

from __future__ import annotations

RANGE_OPERATIONS = (
    *("rate", "rate_counter", "count_over_time", "bytes_rate", "bytes_over_time", "avg_over_time"),
    *("sum_over_time", "min_over_time", "max_over_time", "stdvar_over_time", "stddev_over_time"),
    *("quantile_over_time", "first_over_time", "last_over_time", "absent_over_time"),
)
VECTOR_OPERATIONS = (
    *("sum", "avg", "max", "min", "count", "stddev", "stdvar"),
    *("bottomk", "topk", "approx_topk", "sort", "sort_desc"),
)
MODIFIERS = ("bool", "on", "ignoring", "group_left", "group_right", "offset")
STAGE_KEYWORDS = (
    *("unwrap", "json", "logfmt", "regexp", "unpack", "pattern", "line_format", "label_format"),
    *("decolorize", "drop", "keep"),
)
RESERVED = frozenset((*MODIFIERS, *STAGE_KEYWORDS, "by", "without", "and", "or", "unless", "variants", "of"))
"""Words that are never a label's name without quotes."""

TOKENS: tuple[str, ...] = (
    # In the order in which error messages list what they expect.
    *("BYTES", "IDENTIFIER", "STRING", "NUMBER", "FUNCTION_FLAG", "DURATION", "RANGE"),
    *("=", "=~", "!~", "!>", "{", "}", "[", "]", ",", ".", "|~", "|=", "|>", "(", ")", "by", "without"),
    *(name.upper() for name in (*RANGE_OPERATIONS, *VECTOR_OPERATIONS)),
    *("VECTOR", "label_replace", "BYTES_CONV", "DURATION_CONV", "DURATION_SECONDS_CONV"),
    *(*MODIFIERS, "|", *STAGE_KEYWORDS, "ip", "variants", "of"),
    *("or", "and", "unless", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^"),
)

PRECEDENCE: tuple[tuple[str, tuple[str, ...]], ...] = (
    # From the loosest to the tightest.
    ("left", ("or",)),
    ("left", ("and", "unless")),
    ("left", ("==", "!=", "<", "<=", ">", ">=")),
    ("left", ("+", "-")),
    ("left", ("*", "/", "%")),
    ("right", ("^",)),
)

BINARY_OPERATORS = ("or", "and", "unless", "+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<=")

RULES_TEXT = """
query       := first           : expr
expr        := first           : logExpr
expr        := first           : metricExpr
expr        := first           : variantsExpr

logExpr     := log_selector    : selector
logExpr     := log_pipeline    : selector pipeline
logExpr     := second          : ( logExpr )

metricExpr  := first           : rangeAgg
metricExpr  := first           : vectorAgg
metricExpr  := first           : binOp
metricExpr  := literal         : literal
metricExpr  := first           : labelReplace
metricExpr  := first           : vectorFn
metricExpr  := second          : ( metricExpr )

selector    := selector        : { matchers }
selector    := selector_empty  : { }
matchers    := one             : matcher
matchers    := append_third    : matchers , matcher
matcher     := matcher         : IDENTIFIER = STRING
matcher     := matcher         : IDENTIFIER != STRING
matcher     := matcher         : IDENTIFIER =~ STRING
matcher     := matcher         : IDENTIFIER !~ STRING

pipeline    := stages          : stage
pipeline    := concatenate     : pipeline stage
stage       := first           : lineFilter
stage       := second          : | logfmtStage
stage       := second          : | jsonStage
stage       := regexp_stage    : | regexp STRING
stage       := pattern_stage   : | pattern STRING
stage       := unpack_stage    : | unpack
stage       := filter_stage    : | labelFilter
stage       := line_format     : | line_format STRING
stage       := decolorize      : | decolorize
stage       := label_format    : | label_format formats
stage       := drop_stage      : | drop names
stage       := keep_stage      : | keep names

filterOp    := first           : |=
filterOp    := first           : !=
filterOp    := first           : |~
filterOp    := first           : !~
filterOp    := first           : |>
filterOp    := first           : !>
lineFilter  := line_filter     : filterOp STRING
lineFilter  := line_filter_ip  : filterOp ip ( STRING )
lineFilter  := line_filter_or  : lineFilter or orTail
orTail      := leg             : STRING
orTail      := leg_or          : STRING or orTail
orTail      := leg_ip          : ip ( STRING )

labelFilter := string_filter   : matcher
labelFilter := ip_filter       : IDENTIFIER = ip ( STRING )
labelFilter := ip_filter       : IDENTIFIER != ip ( STRING )
labelFilter := first           : numberCmp
labelFilter := second          : ( labelFilter )
labelFilter := and_juxtaposed  : labelFilter labelFilter
labelFilter := and_filter      : labelFilter and labelFilter
labelFilter := and_filter      : labelFilter , labelFilter
labelFilter := or_filter       : labelFilter or labelFilter
cmp         := first           : >
cmp         := first           : >=
cmp         := first           : <
cmp         := first           : <=
cmp         := first           : !=
cmp         := first           : =
cmp         := first           : ==
numberCmp   := duration_filter : IDENTIFIER cmp DURATION
numberCmp   := bytes_filter    : IDENTIFIER cmp BYTES
numberCmp   := number_filter   : IDENTIFIER cmp literal

logfmtStage := logfmt          : logfmt
logfmtStage := logfmt_flags    : logfmt flags
logfmtStage := logfmt_extract  : logfmt extractions
logfmtStage := logfmt_both     : logfmt flags extractions
flags       := one             : FUNCTION_FLAG
flags       := append_second   : flags FUNCTION_FLAG
jsonStage   := json            : json
jsonStage   := json_extract    : json extractions
extractions := one             : extraction
extractions := append_third    : extractions , extraction
extraction  := extraction      : IDENTIFIER = STRING
extraction  := extraction_bare : IDENTIFIER

formats     := one             : format
formats     := append_third    : formats , format
format      := format_rename   : IDENTIFIER = IDENTIFIER
format      := format_template : IDENTIFIER = STRING
names       := one             : name
names       := append_third    : names , name
name        := label_name      : IDENTIFIER
name        := first           : matcher

logRange    := range           : selector RANGE
logRange    := range           : selector RANGE offsetExpr
logRange    := range           : ( selector ) RANGE
logRange    := range           : ( selector ) RANGE offsetExpr
logRange    := range           : selector RANGE unwrapExpr
logRange    := range           : selector RANGE offsetExpr unwrapExpr
logRange    := range           : ( selector ) RANGE unwrapExpr
logRange    := range           : ( selector ) RANGE offsetExpr unwrapExpr
logRange    := range           : selector unwrapExpr RANGE
logRange    := range           : selector unwrapExpr RANGE offsetExpr
logRange    := range           : ( selector unwrapExpr ) RANGE
logRange    := range           : ( selector unwrapExpr ) RANGE offsetExpr
logRange    := range           : selector pipeline RANGE
logRange    := range           : selector pipeline RANGE offsetExpr
logRange    := range           : ( selector pipeline ) RANGE
logRange    := range           : ( selector pipeline ) RANGE offsetExpr
logRange    := range           : selector pipeline unwrapExpr RANGE
logRange    := range           : selector pipeline unwrapExpr RANGE offsetExpr
logRange    := range           : ( selector pipeline unwrapExpr ) RANGE
logRange    := range           : ( selector pipeline unwrapExpr ) RANGE offsetExpr
logRange    := range           : selector RANGE pipeline
logRange    := range           : selector RANGE offsetExpr pipeline
logRange    := range           : selector RANGE pipeline unwrapExpr
logRange    := range           : selector RANGE offsetExpr pipeline unwrapExpr
logRange    := second          : ( logRange )
offsetExpr  := second          : offset DURATION
unwrapExpr  := unwrap          : | unwrap IDENTIFIER
unwrapExpr  := unwrap_convert  : | unwrap convOp ( IDENTIFIER )
unwrapExpr  := unwrap_filter   : unwrapExpr | labelFilter
convOp      := first           : BYTES_CONV
convOp      := first           : DURATION_CONV
convOp      := first           : DURATION_SECONDS_CONV

rangeAgg    := range_agg       : rangeOp ( logRange )
rangeAgg    := range_agg       : rangeOp ( NUMBER , logRange )
rangeAgg    := range_agg       : rangeOp ( logRange ) grouping
rangeAgg    := range_agg       : rangeOp ( NUMBER , logRange ) grouping
vectorAgg   := vector_agg      : vectorOp ( metricExpr )
vectorAgg   := vector_agg      : vectorOp grouping ( metricExpr )
vectorAgg   := vector_agg      : vectorOp ( metricExpr ) grouping
vectorAgg   := vector_agg      : vectorOp ( NUMBER , metricExpr )
vectorAgg   := vector_agg      : vectorOp ( NUMBER , metricExpr ) grouping
vectorAgg   := vector_agg      : vectorOp grouping ( NUMBER , metricExpr )
grouping    := grouping        : by ( labels )
grouping    := grouping        : without ( labels )
grouping    := grouping        : by ( )
grouping    := grouping        : without ( )
labels      := one_text        : IDENTIFIER
labels      := append_text     : labels , IDENTIFIER

labelReplace := label_replace  : label_replace ( metricExpr , STRING , STRING , STRING , STRING )
vectorFn    := vector_fn       : VECTOR ( NUMBER )
literal     := number          : NUMBER
literal     := signed          : + NUMBER
literal     := signed          : - NUMBER

boolMod     := no_bool         :
boolMod     := bool            : bool
modifier    := not_matching    : boolMod
matching    := matching        : boolMod on ( )
matching    := matching        : boolMod on ( labels )
matching    := matching        : boolMod ignoring ( )
matching    := matching        : boolMod ignoring ( labels )
modifier    := first           : matching
modifier    := group           : matching group_left
modifier    := group           : matching group_left ( )
modifier    := group           : matching group_left ( labels )
modifier    := group           : matching group_right
modifier    := group           : matching group_right ( )
modifier    := group           : matching group_right ( labels )

variantsExpr := variants       : variants ( metrics ) of ( logRange )
metrics     := one             : metricExpr
metrics     := append_third    : metrics , metricExpr
"""


def _rules() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    rules = []
    for line in RULES_TEXT.splitlines():
        if line.strip():
            left, _, rest = line.partition(":=")
            action, _, right = rest.partition(":")
            rules.append((left.strip(), action.strip(), tuple(right.split())))
    rules += [("binOp", "binary", ("expr", operator, "modifier", "expr")) for operator in BINARY_OPERATORS]
    rules += [("rangeOp", "first", (name.upper(),)) for name in RANGE_OPERATIONS]
    rules += [("vectorOp", "first", (name.upper(),)) for name in VECTOR_OPERATIONS]
    return tuple(rules)


RULES = _rules()
"""(left side, method, right side)"""

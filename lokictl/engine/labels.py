"""The labels of one line on its way through the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from lokictl.logql.versions import (
    DEFAULT,
    METADATA_FIRST,
    METADATA_GIVES_WAY,
    SET_LABELS_BESIDE_METADATA,
    LokiVersion,
)

Labels = tuple[tuple[str, str], ...]

ERROR = "__error__"
ERROR_DETAILS = "__error_details__"
PRESERVE_ERROR = "__preserve_error__"
EXTRACTED_SUFFIX = "_extracted"

JSON_ERROR = "JSONParserErr"
LOGFMT_ERROR = "LogfmtParserErr"
FILTER_ERROR = "LabelFilterErr"
SAMPLE_ERROR = "SampleExtractionErr"
TEMPLATE_ERROR = "TemplateFormatErr"


class LabelBuilder:
    """Stream labels, structured metadata and parsed labels of one line, and what happened to them.

    A name is in at most one of ``metadata`` and ``parsed``; ``deleted`` hides stream labels; ``extracted`` are the
    names that any stage has set, which a later parser does not set again.

    ``blank_keys`` are the empty keys of JSON lines met in the stream, and whether the first one made a label (as
    nested ones do): Loki remembers that for all later lines.
    """

    __slots__ = (
        "base",
        "base_labels",
        "blank_keys",
        "deleted",
        "error",
        "error_details",
        "extracted",
        "keeps_metadata",
        "metadata",
        "metadata_counts",
        "parsed",
    )

    def __init__(
        self,
        base: Mapping[str, str],
        base_labels: Labels,
        metadata: Labels,
        version: LokiVersion = DEFAULT,
    ) -> None:
        self.keeps_metadata = version.has(METADATA_FIRST)
        self.metadata_counts = not (self.keeps_metadata or version.has(METADATA_GIVES_WAY))
        self.base = base
        self.base_labels = base_labels
        self.blank_keys: dict[str, bool] = {}
        self.reset(metadata)

    def reset(self, metadata: Labels) -> None:
        """Begins the next line of the same stream."""
        self.deleted: list[str] = []
        self.metadata: dict[str, str] = {}
        self.parsed: dict[str, str] = {}
        self.extracted: set[str] = set()
        self.error = ""
        self.error_details = ""
        for name, value in metadata:
            if name == ERROR:
                self.error = value
            elif name == ERROR_DETAILS:
                self.error_details = value
            else:
                self.metadata[name + EXTRACTED_SUFFIX if name in self.base else name] = value
        if self.metadata_counts:
            self.extracted.update(self.metadata)

    def get(self, name: str) -> str | None:
        """The current value of a label; None where it is absent."""
        if name in self.metadata:
            return self.metadata[name]
        if name in self.parsed:
            return self.parsed[name]
        if name in self.deleted:
            return None
        return self.base.get(name)

    def set(self, name: str, value: str) -> None:
        self.metadata.pop(name, None)
        self.parsed[name] = value
        self.extracted.add(name)

    def rename(self, old: str, new: str) -> None:
        """Gives a label, if there is one, another name; it counts as parsed from then on."""
        value = self.get(old)
        if value is not None:
            self.set(new, value)
            self.delete(old)

    def delete(self, name: str) -> None:
        self.metadata.pop(name, None)
        self.parsed.pop(name, None)
        self.deleted.append(name)

    def is_taken(self, name: str) -> bool:
        """Whether a parser must write ``name_extracted`` instead."""
        return name in self.base or (name in self.metadata and self.keeps_metadata)

    def fail(self, error: str, details: str = "") -> None:
        """Records an error; without details those of an earlier one stay."""
        self.error = error
        self.error_details = details or self.error_details

    def value_for_filter(self, name: str) -> str:
        """The value that a string label filter sees."""
        if name == ERROR:
            return self.error
        if name == ERROR_DETAILS:
            return ""
        return self.get(name) or ""

    def template_labels(self) -> dict[str, str]:
        """All current labels, as templates see them."""
        return dict(self.labels())

    def labels(self) -> Labels:
        """All labels of the line, sorted by name."""
        if not self.metadata and not self.parsed and not self.deleted and not self.error:
            return self.base_labels
        found = {
            name: value
            for name, value in self.base_labels
            if name not in self.deleted and name not in self.metadata and name not in self.parsed
        }
        found.update(self.metadata)
        found.update(self.parsed)
        if not self.error and not self.error_details:
            return tuple(sorted(found.items()))
        # A field called like the error's label stays beside it.
        items = sorted(found.items())
        items += [item for item in ((ERROR, self.error), (ERROR_DETAILS, self.error_details)) if item[1]]
        return tuple(sorted(items, key=itemgetter(0)))

    def grouped(self, names: tuple[str, ...], without: bool) -> Labels:
        """The labels after range-level grouping; lines with an error keep all of theirs."""
        if self.error:
            return self.labels()
        if without:
            return self._without(names)
        found = {}
        for name in names:
            if name in self.deleted:
                continue
            value = self.metadata.get(name)
            if value is None:
                value = self.parsed.get(name)
            if value is None:
                value = self.base.get(name)
            if value is not None:
                found[name] = value
        return tuple(sorted(found.items()))

    def _without(self, names: tuple[str, ...]) -> Labels:
        if not names:
            return LabelBuilder.labels(self)
        found = {
            name: value for name, value in self.base_labels if name not in self.deleted and name not in names
        }
        for source in (self.metadata, self.parsed):
            found.update((name, value) for name, value in source.items() if name not in names)
        return tuple(sorted(found.items()))

    def categorized(self) -> tuple[Labels, Labels, Labels]:
        """(stream labels, structured metadata, parsed labels) as the categorised answer shows them."""
        stream = tuple(
            (name, value)
            for name, value in self.base_labels
            if name not in self.deleted and name not in self.metadata and name not in self.parsed
        )
        parsed = dict(self.parsed)
        if self.error:
            parsed[ERROR] = self.error
        if self.error_details and (self.error or parsed or self.metadata or self.deleted):
            parsed[ERROR_DETAILS] = self.error_details
        return stream, tuple(sorted(self.metadata.items())), tuple(sorted(parsed.items()))


class SideBySideBuilder(LabelBuilder):
    """The labels of a line where what is set stands beside metadata of its name (`SET_LABELS_BESIDE_METADATA`).

    Answers and templates show what was set, filters and groupings still see the metadata.  A label that gets another
    name stays what it was: ``renamed`` are those of the stream.
    """

    __slots__ = ("renamed",)

    def reset(self, metadata: Labels) -> None:
        super().reset(metadata)
        self.renamed: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.renamed[name] if name in self.renamed else super().get(name)

    def set(self, name: str, value: str) -> None:
        self.parsed[name] = value
        self.extracted.add(name)

    def rename(self, old: str, new: str) -> None:
        value = self.get(old)
        if value is None:
            return
        if old in self.metadata and old not in self.renamed:
            self.metadata[new] = value
        elif old in self.parsed and old not in self.renamed:
            self.parsed[new] = value
        else:
            self.renamed[new] = value
        self.delete(old)

    def delete(self, name: str) -> None:
        super().delete(name)
        self.renamed.pop(name, None)

    def labels(self) -> Labels:
        return self._with_both(super().labels(), ())

    def grouped(self, names: tuple[str, ...], without: bool) -> Labels:
        if self.error:
            return self.labels()
        if without:
            return self._with_both(super().grouped(names, without), names)
        renamed = {name: value for name, value in self.renamed.items() if name in names}
        return tuple(sorted({**dict(super().grouped(names, without)), **renamed}.items()))

    def _with_both(self, labels: Labels, left_out: tuple[str, ...]) -> Labels:
        """The labels with the renamed ones, and with metadata in front of what was set beside it.

        Such a name is there twice: series that differ in the hidden value only are two.
        """
        both = [name for name in self.metadata if name in self.parsed and name not in left_out]
        if not both and not self.renamed:
            return labels
        found = [item for item in labels if item[0] not in self.renamed or item[0] in self.metadata]
        hidden = [(name, self.metadata[name]) for name in both]
        for item in self.renamed.items():
            if item[0] not in left_out:
                (hidden if item[0] in self.metadata else found).append(item)
        return tuple(sorted(hidden + found, key=itemgetter(0)))


def label_builder(base: Mapping[str, str], base_labels: Labels, version: LokiVersion) -> LabelBuilder:
    """A builder for the lines of one stream."""
    made = SideBySideBuilder if version.has(SET_LABELS_BESIDE_METADATA) else LabelBuilder
    return made(base, base_labels, (), version)

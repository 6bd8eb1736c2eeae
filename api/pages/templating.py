"""The pages' templates, compiled once for each language: what a text says in it, and where a file
of ours is loaded from, stands in the compiled page, so that nothing of it is asked for again."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

# A template's name for a text that it says.
_SAID = "_"


class Known(NodeTransformer):
    """Puts into a template what is known when it is compiled: ``said`` of the texts, ``constants``,
    and what ``functions`` make of constants."""

    def __init__(
        self,
        said: Callable[[str], str],
        constants: Mapping[str, str],
        functions: Mapping[str, Callable[..., str]],
    ) -> None:
        self._said = said
        self._constants = constants
        self._functions = functions

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - the library's name for it
        """A constant instead of its name."""
        if node.ctx == "load" and node.name in self._constants:
            return nodes.Const(self._constants[node.name], lineno=node.lineno)
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        """What a call of constants gives, instead of the call."""
        self.generic_visit(node)
        called = node.node.name if isinstance(node.node, nodes.Name) else None
        given = [one.value for one in node.args if isinstance(one, nodes.Const)]
        if len(given) < len(node.args):
            return node
        if called == _SAID:
            return self._text(given[0], node)
        if called is not None and called in self._functions and not node.kwargs:
            return nodes.Const(self._functions[called](*given), lineno=node.lineno)
        return node

    def _text(self, text: str, node: nodes.Call) -> nodes.Expr:
        """The text, with what is yet to stand in its places."""
        told = Markup(self._said(text))  # noqa: S704 - our own texts, as gettext marks them
        if not node.kwargs:
            return nodes.Const(told % {}, lineno=node.lineno)
        places = [
            nodes.Pair(nodes.Const(one.key), one.value, lineno=node.lineno) for one in node.kwargs
        ]
        dictionary = nodes.Dict(places, lineno=node.lineno)
        return nodes.Mod(nodes.Const(told), dictionary, lineno=node.lineno)


class Templates(Environment):
    """The templates in one language. Stricter than Flask's own, and with blocks that leave no
    lines."""

    def __init__(self, app: Flask, known: Known) -> None:
        super().__init__(
            app,
            loader=app.jinja_env.loader,
            autoescape=app.select_jinja_autoescape,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._known = known
        self.policies.update(app.jinja_env.policies)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """What every template of ours is given, which is all known before the first one is made:
        so that nothing is looked for in two places."""
        return {**self.globals, **(d or {})}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The template's tree with what is known in it. (The library's own place for this.)"""
        tree: Any = self._known.visit(super()._parse(source, name, filename))
        tree.set_environment(self)
        found: nodes.Template = tree
        return found

"""Reads what the public headers say: declarations with the comments that document them."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Iterator


class HeaderError(Exception):
    """A header that cannot be read as documentation; the text names the place."""


@dataclasses.dataclass
class Comment:
    """A documentation comment, taken apart."""

    text: list[str] = dataclasses.field(default_factory=list)  # lines, indentation kept
    parameters: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    returns: list[str] = dataclasses.field(default_factory=list)
    after: list[str] = dataclasses.field(default_factory=list)  # text behind the tags
    safety: str = ''  # "Thread: any. Real-time safe: no."


@dataclasses.dataclass
class Item:
    """One documented thing: a function, struct, enum, callback type, macro or member."""

    kind: str  # function, callback, struct, enum, constant, member
    name: str
    declaration: str
    comment: Comment
    parameters: list[str] = dataclasses.field(default_factory=list)
    members: list[Item] = dataclasses.field(default_factory=list)
    also: list[Item] = dataclasses.field(default_factory=list)  # share its comment
    defaults: list[str] = dataclasses.field(default_factory=list)  # what the INIT macro sets
    macro: str = ''  # the INIT macro


@dataclasses.dataclass
class Header:
    """One header: head comment, includes, opaque types, sections of items."""

    stem: str
    head: list[str]
    includes: list[str]
    opaque: list[str]
    sections: list[tuple[str, list[Item]]]

    def items(self) -> Iterator[Item]:
        """Every item, those that share a comment too."""
        for _, items in self.sections:
            for item in items:
                yield item
                yield from item.also


COMMENT = r'/\*.*?\*/'
ATTRIBUTE = re.compile(r'\b(KODAMA_API|KODAMA_MUST_USE|KODAMA_PRINTF\([^)]*\)|static|inline)\b\s*')
SAFETY = re.compile(
    r'(?:\A|(?<=[.)]))\s*\b(?:Thread|Real-time\s+safe):.*?(?=\n\n|\Z)', re.S)
SECTION = re.compile(r'/\*\s*-{8,}\s*(.*?)\s*\*/')
CLOSING = {'(': ')', '[': ']', '{': '}'}


def comment_lines(comment: str) -> list[str]:
    """The lines of a comment without its frame; indentation beyond the frame's is kept."""
    body = re.sub(r'^/\*+<?|\*/$', '', comment)
    lines = [re.sub(r'^\s*\* ?', '', line).rstrip() for line in body.split('\n')]
    if lines:
        lines[0] = lines[0].strip()
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def take_safety(lines: list[str]) -> tuple[list[str], str]:
    """Part the sentences on threads and real time, which end a paragraph, from the rest."""
    text = '\n'.join(lines)
    found = SAFETY.search(text)
    if not found:
        return lines, ''
    rest = (text[:found.start()].rstrip() + text[found.end():]).strip('\n')
    return rest.split('\n') if rest else [], ' '.join(found.group().split())


def parse_comment(comment: str) -> Comment:
    """Take a documentation comment apart; raises HeaderError with what is wrong."""
    result = Comment()
    into, text = '', result.text
    for line in comment_lines(comment):
        tag = re.match(r'@(\w+)(.*)', line)
        if tag and tag[1] == 'param':
            parts = re.match(r'(?:\[(in|out|in,out)\])?\s+(\w+)\s+(\S.*)', tag[2])
            if not parts:
                raise HeaderError(f'"{line}" is not "@param[out] name  text"')
            if any(parts[2] == known for known, _, _ in result.parameters):
                raise HeaderError(f'@param {parts[2]} is there twice')
            result.parameters.append((parts[2], parts[1] or '', parts[3]))
            into = 'parameter'
        elif tag and tag[1] == 'return':
            result.returns.append(tag[2].strip())
            into = 'returns'
        elif tag:
            raise HeaderError(f'there is no @{tag[1]}; known are @param and @return')
        elif not line or (into == 'parameter' and re.match(r'[A-Z][a-z]', line)):
            into = ''
            text = result.after if result.parameters or result.returns else result.text
            text += ['', line] if line else ['']
        elif into == 'parameter':
            name, direction, words = result.parameters[-1]
            result.parameters[-1] = (name, direction, f'{words} {line.strip()}')
        elif into == 'returns':
            result.returns.append(line.strip())
        else:
            text.append(line)
    for lines in (result.text, result.after):
        lines[:], safety = take_safety(lines)
        result.safety = safety or result.safety
    return result


def split_outside(text: str, separators: str) -> Iterator[str]:
    """Split where a separator stands outside brackets and comments; separators stay at the ends."""
    depth, begin = 0, 0
    for match in re.finditer(COMMENT + r'|[][(){}' + re.escape(separators) + ']', text, re.S):
        token = match.group()
        if token in CLOSING:
            depth += 1
        elif token in CLOSING.values():
            depth -= 1
        if depth == 0 and token in tuple(separators):
            yield text[begin:match.end()]
            begin = match.end()
    yield text[begin:]


def without_comments(text: str) -> str:
    """A declaration on one line."""
    return ' '.join(re.sub(COMMENT, ' ', text, flags=re.S).split())


def parse_members(body: str, separator: str) -> list[Item]:
    """The members of a struct or enum, with the comment before or (`/**<`) behind them."""
    body = re.sub(r'^[ \t]*#.*(\\\n.*)*$', '', body, flags=re.M)
    members: list[Item] = []
    for part in split_outside(body, separator):
        while behind := re.match(r'\s*(/\*\*<.*?\*/)', part, re.S):
            if not members:
                raise HeaderError('a comment /**< stands before the first member')
            members[-1].comment = parse_comment(behind[1])
            part = part[behind.end():]
        before = re.match(r'\s*(/\*\*[^<*].*?\*/)', part, re.S)
        last = re.search(r'(/\*\*<.*?\*/)\s*$', part, re.S)  # the last enumerator has no comma
        comment = parse_comment((before or last)[1]) if before or last else Comment()
        inner = re.search(r'\b(?:struct|union|enum)\s*\w*\s*(\{.*\})', part, re.S)
        nested = []
        if inner:
            nested = parse_members(inner[1][1:-1], ',' if inner[0].startswith('enum') else ';')
            part = part[:inner.start(1)] + part[inner.end(1):]
        declaration = without_comments(part).rstrip(separator + ' ')
        if declaration:
            members.append(Item('member', '', declaration, comment, members=nested))
    return members


def parse_function(declaration: str, comment: Comment, kind: str) -> Item:
    """A function or a callback type with the names of its parameters."""
    plain = ATTRIBUTE.sub('', without_comments(declaration)).rstrip('; ')
    pattern = r'\(\*(kodama_\w+)\)\s*\(' if kind == 'callback' else r'\b(kodama_\w+)\s*\('
    found = re.search(pattern, plain)
    if not found:
        raise HeaderError(f'"{plain[:60]}" is no declaration of a function')
    names = []
    for part in split_outside(plain[found.end():plain.rindex(')')], ','):
        words = re.findall(r'\(\*(\w+)\)|(\w+)(?=(?:\[\w*\])?[, ]*$)', part)
        if words and part.strip() != 'void':
            names.append(words[0][0] or words[0][1])
    for name, _, _ in comment.parameters:
        if name not in names:
            raise HeaderError(f'{found[1]}() has no parameter "{name}", but @param describes it')
    return Item(kind, found[1], plain, comment, parameters=names)


class Reader:
    """Walks through one header, declaration by declaration."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.text = path.read_text(encoding='utf-8')
        self.at = 0
        self.line = 1
        self.header = Header(path.stem, [], [], [], [('', [])])
        self.comment: str | None = None
        self.joined = False  # the thing before stands directly above this line
        self.list_macros: dict[str, list[Item]] = {}

    def read(self) -> Header:
        """Read all of it."""
        try:
            while self.skip_space():
                self.step()
            self.drop_comment()
            if not self.header.head:
                raise HeaderError('the header does not begin with a comment that says what it is')
        except HeaderError as error:
            place = f'{self.path.parent.name}/{self.path.name}:{self.line}'
            raise HeaderError(f'{place}: {error}') from None
        self.header.sections = [section for section in self.header.sections if section[1]]
        return self.header

    def skip_space(self) -> bool:
        """Go to what follows; false at the end."""
        space = re.compile(r'\s*').match(self.text, self.at)
        if space and '\n\n' in space.group():
            self.joined = False
        self.at = space.end() if space else self.at
        self.line = self.text.count('\n', 0, self.at) + 1
        return self.at < len(self.text)

    def take(self, pattern: str) -> str | None:
        """What matches here, which is then behind us."""
        found = re.compile(pattern, re.S).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found.group() if found else None

    def drop_comment(self) -> None:
        """No comment may be left without a thing that it documents."""
        if self.comment is not None:
            words = ' '.join(comment_lines(self.comment))[:60]
            raise HeaderError(f'the comment "{words}" documents nothing that follows it')

    def step(self) -> None:
        """One comment, directive or declaration."""
        if comment := self.take(COMMENT):
            section = SECTION.fullmatch(comment)
            if section:
                self.drop_comment()
                self.header.sections.append((section[1], []))
            elif comment.startswith('/**'):
                self.drop_comment()
                self.comment = comment
            elif not self.header.head:
                self.header.head = comment_lines(comment)
        elif self.text.startswith('/*', self.at):
            raise HeaderError('this comment has no end')
        elif directive := self.take(r'#(?:\\\n|[^\n])*'):
            self.directive(directive)
        elif self.take(r'extern "C" \{|\}'):
            pass
        else:
            self.declaration(self.take_declaration())

    def take_declaration(self) -> str:
        """Up to the semicolon, or the brace that ends a body; comments may be inside."""
        body = self.text.startswith('static inline', self.at)
        part = next(split_outside(self.text[self.at:], '};' if body else ';'))
        if not part.endswith(('}', ';')):
            raise HeaderError(f'"{part.split(chr(10))[0][:60]}" has no end')
        self.at += len(part)
        return part

    def directive(self, directive: str) -> None:
        """An include, or a macro: documented, or one that initialises the struct before it."""
        if include := re.match(r'#\s*include\s*<kodama/(\w+)\.h>', directive):
            self.header.includes.append(include[1])
        macro = re.match(r'#\s*define\s+(\w+)(\([^)]*\))?((?:\\\n|[^\n])*)', directive)
        if not macro:
            self.joined = False
            return
        name, arguments = macro[1], macro[2] or ''
        body = ' '.join(macro[3].replace('\\\n', ' ').split())
        items = self.header.sections[-1][1]
        if rows := re.findall(r'X\((\w+), (-?\w+), "([^"]*)"\)', body) if arguments else None:
            self.list_macros[name] = [
                Item('member', '', f'{row} = {value}', Comment(text=[text]))
                for row, value, text in rows]
            items.append(self.documented('constant', name, f'{name}{arguments}'))
        elif name.endswith('_INIT') and items and items[-1].kind == 'struct':
            items[-1].macro = name
            items[-1].defaults = re.findall(
                r'\.((?!size )\w+ = (?:[^,{}()]|\([^()]*\))+?)(?=\s*[,}])', body)
        elif self.comment is not None:
            items.append(self.documented('constant', name, f'{name}{arguments} {body}'))
            self.joined = True
        elif items and items[-1].kind == 'constant' and self.joined and not arguments:
            items[-1].also.append(Item('constant', name, f'{name} {body}', Comment()))

    def documented(self, kind: str, name: str, declaration: str) -> Item:
        """An item with the comment that stands before it."""
        comment = parse_comment(self.comment) if self.comment else Comment()
        self.comment = None
        return Item(kind, name, declaration, comment)

    def declaration(self, text: str) -> None:
        """A function, a type, or the announcement of an opaque one."""
        items = self.header.sections[-1][1]
        if opaque := re.fullmatch(r'struct (\w+);', text):
            self.header.opaque.append(opaque[1])
            if self.comment is not None:
                items.append(self.documented('struct', opaque[1], f'struct {opaque[1]}'))
        elif named := re.match(r'(struct|enum)\s*(\w*)\s*(\{.*\})\s*;$', text, re.S):
            item = self.documented(named[1], named[2], f'{named[1]} {named[2]}'.strip())
            item.members = parse_members(named[3][1:-1], ',' if named[1] == 'enum' else ';')
            for index, member in enumerate(item.members):  # an enum made by a list macro
                if rows := self.list_macros.get(member.declaration.split('(')[0]):
                    item.members[index:index + 1] = rows
            items.append(item)
        else:
            kind = 'callback' if text.startswith('typedef') else 'function'
            function = parse_function(text, Comment(), kind)
            if self.comment is not None:
                comment, self.comment = parse_comment(self.comment), None
                items.append(parse_function(text, comment, kind))
                for words in ('Thread:', 'Real-time safe:') if kind == 'function' else ():
                    if words not in comment.safety:
                        raise HeaderError(f'the comment of {function.name}() lacks "{words}"')
                self.joined = True
            elif items and items[-1].kind == kind and self.joined:
                items[-1].also.append(function)
            else:
                raise HeaderError(f'{function.name}() has no comment that documents it')


def names_of(path: pathlib.Path) -> list[str]:
    """Every public name that a page answers for; never fails, for it runs at configuration."""
    text = re.sub(COMMENT, '', path.read_text(encoding='utf-8'), flags=re.S)
    text = re.sub(r'^[ \t]*#(?:\\\n|[^\n])*', '', text, flags=re.M)
    functions = re.findall(r'KODAMA_API\s+[^(;]*?\b(kodama_\w+)\s*\(', text)
    inline = re.findall(r'^static inline\s+[^(;]*?\b(kodama_\w+)\s*\(', text, re.M)
    types = re.findall(r'^(?:struct|enum)\s+(kodama_\w+)\s*(?=[{;])', text, re.M)
    callbacks = re.findall(r'^typedef\s[^;]*?\(\*(kodama_\w+)\)', text, re.M)
    return sorted({*functions, *inline, *types, *callbacks})

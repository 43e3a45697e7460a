#!/usr/bin/env python3
"""Writes the manual pages of the library (section 3) from the comments of the public headers.

    header_pages.py --headers kodama.h                the headers that are public, for Meson
    header_pages.py --list HEADER...                  the names that get a page, for Meson
    header_pages.py --version V --out FOLDER --examples FOLDER --depfile FILE HEADER...

One page per header, kodama(3) for all of them, and for every function and type a page that links
there. What a header leaves undocumented, or says in a way that cannot be read, is an error.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
import textwrap

import header_reader
from header_reader import Comment, Header, HeaderError, Item

OVERVIEW = 'kodama'
SHARED = 'api'  # its contents are part of the overview
WIDTH = 76  # of a line of roff
PROTOTYPE_WIDTH = 72  # 80 columns without the indentation of 7
SEE_ALSO_COMMANDS = ['kodama(1)']

CONVENTIONS = """\
Functions that return int or int64_t return a result that is not negative, or one of the negative
codes KODAMA_ERR_..., which kodama_strerror() describes. Where a person will read about a failure
there is a parameter error, which may be NULL: it says what was tried, what happened and what to do.

Objects are made and ended in pairs (_open and _close, _create and _destroy), and ending NULL is
allowed. What is passed in is borrowed unless the page says that it is taken. A configuration is a
struct that begins as its ..._CONFIG_INIT; NULL, where allowed, means the defaults.

A frame is one sample for each channel. Timeouts are in nanoseconds: 0 does not wait, KODAMA_FOREVER
has no limit.

Every function says who may call it. Thread: any (several at once, too), writer (the thread that
holds the writer), reader (the thread that uses the cursor), owner (who made the object, nobody else
meanwhile). Real-time safe: yes (no lock, no allocation, no system call), yes, may wake (one system
call at the most), or no."""

# Characters that roff reads or that typesetting would change.
LITERAL = {'\\': '\\e', '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti'}


def quoted(text: str) -> str:
    """Literal text for roff: code, names, values."""
    return ''.join(LITERAL.get(c, c if ord(c) < 128 else f'\\[u{ord(c):04X}]') for c in text)


def argument(text: str) -> str:
    """Literal text as one argument of a macro."""
    return '"' + quoted(text).replace('"', '\\(dq') + '"'


def marked(word: str) -> str:
    """One word of prose: names of functions and constants are bold, `quoted` words italic."""
    if function := re.fullmatch(r'(|.*\W)(kodama_\w+)\(\)(.*)', word):
        return f'{quoted(function[1])}\\fB{function[2]}\\fP(3){quoted(function[3])}'
    if '`' in word:
        parts = [quoted(part) for part in word.split('`')]
        parts[1:-1:2] = [f'\\fI{part}\\fP' for part in parts[1:-1:2]]  # those between quotes
        return ''.join(parts)
    if constant := re.fullmatch(r'(\W*)(KODAMA_\w+)(.*)', word):
        return f'{quoted(constant[1])}\\fB{constant[2]}\\fP{quoted(constant[3])}'
    if re.fullmatch(r"[\w(]+(?:[-'][\w]+)+\W*", word) and not re.search(r'\d', word):
        return word.replace('`', '\\(ga')  # a hyphen within a word, an apostrophe
    return quoted(word)


def prose(text: str) -> list[str]:
    """Filled text: a new line for each sentence, none of which can be taken for a request."""
    text = re.sub(r'`[^`]*`', lambda m: m.group().replace(' ', '\0'), ' '.join(text.split()))
    words = [marked(word).replace('\0', ' ') for word in text.split()]
    lines: list[str] = []
    for sentence in re.split(r'(?<=[a-z0-9)P][.:?!]) (?=[A-Z\\])', ' '.join(words)):
        lines += textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
    return ['\\&' + line if line.startswith(('.', "'")) else line for line in lines]


def column_of(block: list[str]) -> tuple[int, int]:
    """Where the tags and where the texts of an indented table stand."""
    indents = [len(line) - len(line.lstrip()) for line in block]
    tag = min(indents)
    further = [indent for indent in indents if indent > tag + 1]
    gap = re.search(r'\S {2,}', block[0][tag:])
    return tag, min(further) if further else tag + gap.end() if gap else 10000


def table(block: list[str]) -> list[str]:
    """An indented block of lines: a tag, and a text that may go on below."""
    tag, column = column_of(block)
    rows: list[tuple[str, list[str]]] = []
    for line in block:
        if len(line) - len(line.lstrip()) > tag:
            rows[-1][1].append(line)
        elif line[column - 1:column] == ' ':
            rows.append((line[:column].strip(), [line[column:]]))
        else:
            rows.append((line.strip(), []))
    out: list[str] = []
    for name, texts in rows:
        out += ['.TP', f'.B {argument(name)}', *(prose(' '.join(texts)) or ['\\&'])]
    return out


def paragraphs(lines: list[str]) -> list[str]:
    """The text of a comment: paragraphs, lists (`  - item`), indented tables."""
    out: list[str] = []
    for text in re.split(r'\n{2,}', '\n'.join(lines).strip('\n')):
        block = text.split('\n') if text else ['']
        if block[0].lstrip().startswith('- '):
            for item in re.split(r'\n\s*- ', '\n' + '\n'.join(block))[1:]:
                out += ['.IP \\(bu 3', *prose(item)]
        elif all(line.startswith('    ') for line in block):
            out += table(block)
        elif text:
            out += ['.PP', *prose(text)]
    return out


def returned(lines: list[str]) -> list[str]:
    """What a function returns: prose, and codes that are followed by two spaces as a list."""
    text = re.sub(r'\s*\b(KODAMA_[A-Z]+_?[A-Z_]*) {2,}', r'\n\1  ', '\n'.join(lines))
    rows: list[list[str]] = []
    plain: list[str] = []
    for line in text.split('\n'):
        code = re.match(r'(KODAMA_\w+)(?:  (.*)|)$', line)
        if code and (code[2] or rows):
            rows.append([code[1], code[2] or ''])
        elif rows:
            rows[-1][1] += ' ' + line
        else:
            plain.append(line)
    intro = 'Returns ' + ' '.join(plain)
    out = ['.PP', *prose(intro if rows or intro.endswith('.') else intro + '.')]
    for name, meaning in rows:
        out += ['.TP', f'.B {name}', *(prose(meaning) or ['\\&'])]
    return out


def member(item: Item) -> list[str]:
    """A member of a struct or enum."""
    text = prose(' '.join(item.comment.text)) or ['\\&']
    out = ['.TP', f'.B {argument(item.declaration)}', *text]
    if item.members:
        out += ['.RS', *(line for inner in item.members for line in member(inner)), '.RE']
    return out


def prototype(item: Item) -> list[str]:
    """A declaration, unfilled: on one line when it fits, else a parameter on each."""
    text = item.declaration
    if item.kind == 'constant':
        text = '#define ' + text
    lines = [text + ('' if item.kind == 'constant' else ';')]
    if len(lines[0]) > PROTOTYPE_WIDTH and item.parameters:
        opening = text.index('(', text.index(item.name)) + 1
        parts = header_reader.split_outside(text[opening:text.rindex(')')] + ');', ',')
        lines = [text[:opening]]
        for part in parts:
            lines[-1] += (' ' if lines[-1].endswith(',') else '') + part.strip()
            if len(lines[-1]) > PROTOTYPE_WIDTH:
                lines[-1] = lines[-1][:-len(part.strip())].rstrip()
                lines.append('        ' + part.strip())
    out = []
    for line in lines:
        line = quoted(line)
        for name in item.parameters:
            line = re.sub(rf'\b{name}\b(?=(?:\[\w*\])?[,)])', rf'\\fI{name}\\fB', line)
        out.append(f'\\fB{line}\\fP')
    return out


def prototypes(items: list[Item]) -> list[str]:
    """Several of them."""
    return [line for item in items for line in prototype(item)]


def described(comment: Comment) -> list[str]:
    """Text, parameters, results, threads of a function or callback."""
    out = paragraphs(comment.text)
    for name, direction, text in comment.parameters:
        shown = f'.IR {name} " ({direction})"' if direction else f'.I {name}'
        out += ['.TP', shown, *prose(text)]
    if comment.returns:
        out += returned(comment.returns)
    out += paragraphs(comment.after)
    if comment.safety:
        out += ['.PP', *prose(comment.safety)]
    return out


def entry(item: Item) -> list[str]:
    """One subsection of a page."""
    if item.kind in ('function', 'callback'):
        title = ', '.join(f'{one.name}()' for one in (item, *item.also))
    else:
        title = f'{item.kind} {item.name}' if item.kind != 'constant' else item.name
    if not item.name:
        title = 'Constants'
    out = [f'.SS {argument(title)}']
    if item.kind in ('function', 'callback', 'constant'):
        out += ['.nf', *prototypes([item, *item.also]), '.fi']
    out += described(item.comment)
    if item.macro:
        out += ['.PP', 'Initialise it with', f'.BR {item.macro} {"," if item.defaults else "."}']
        out += prose(f'which sets `{"`, `".join(item.defaults)}`.') if item.defaults else []
    for one in item.members:
        out += member(one)
    return out


def sentence(head: list[str]) -> str:
    """What a file is about: the first sentence of its head comment."""
    return re.split(r'(?<=\.)(?:\s|$)', ' '.join(' '.join(head).split()))[0]


def summary(header: Header) -> str:
    """The same for NAME, which is not a sentence."""
    text = sentence(header.head).rstrip('.')
    return text[0].lower() + text[1:]


def examples_of(header: Header, folder: pathlib.Path) -> list[str]:
    """The example named after the header, those named after it and more, and those that call it."""
    own, others = [], []
    names = [item.name for item in header.items() if item.kind == 'function']
    for path in sorted(folder.glob('*.c')):
        text = path.read_text(encoding='utf-8')
        head = re.match(header_reader.COMMENT, text, re.S)
        about = sentence(header_reader.comment_lines(head.group())) if head else ''
        row = ['.TP', f'.I examples/{quoted(path.name)}', *(prose(about) or ['\\&'])]
        if path.stem == header.stem or path.stem.startswith(header.stem + '_'):
            own += row
        elif any(re.search(rf'\b{name}\b', text) for name in names):
            others += row
    found = own or others
    return ['.SH EXAMPLES', 'In the source of Kodama:', *found] if found else []


def see_also(names: list[str]) -> list[str]:
    """References, in order."""
    out = ['.SH SEE ALSO']
    for index, name in enumerate(names):
        page, section = name.rstrip(')').split('(')
        out.append(f'.BR {page} ({section}){"" if index == len(names) - 1 else ","}')
    return out


def top(page: str, version: str, about: str, include: str) -> list[str]:
    """Everything above the prototypes."""
    return ['.\\" Made from the public headers by docs/header_pages.py.',
            f'.TH {page.upper()} 3 "" "Kodama {version}" "Kodama library"', '.nh', '.ad l',
            '.SH NAME', f'{page} \\- {quoted(about)}',
            '.SH LIBRARY', 'Kodama, a voice engine',
            '.RI ( libkodama ", " \\-lkodama ", " "pkg\\-config kodama" )',
            '.SH SYNOPSIS', '.nf', f'.B #include <kodama/{include}.h>']


def synopsis(header: Header) -> list[str]:
    """Opaque types and every prototype."""
    out = ['.PP', *(f'.B struct {name};' for name in header.opaque)] if header.opaque else []
    for _, items in header.sections:
        functions = [one for item in items if item.kind in ('function', 'callback')
                     for one in (item, *item.also)]
        if functions:
            out += ['.PP', *prototypes(functions)]
    return [*out, '.fi']


def sections(header: Header, untitled: str) -> list[str]:
    """Every item, under the titles that the header gives its parts."""
    out: list[str] = []
    for title, items in header.sections:
        out.append(f'.SH {argument((title or untitled).upper())}')
        for item in items:
            out += entry(item)
    return out


def page_of(header: Header, headers: dict[str, Header], options: argparse.Namespace) -> list[str]:
    """The page of one header."""
    page = f'kodama_{header.stem}'
    users = {other for other, one in headers.items() if header.stem in one.includes}
    near = {*header.includes, *users} - {SHARED, OVERVIEW, header.stem}
    untitled = 'types and constants' if len(header.sections) > 1 else 'interface'
    return [*top(page, options.version, summary(header), header.stem), *synopsis(header),
            '.SH DESCRIPTION', *paragraphs(header.head), *sections(header, untitled),
            *examples_of(header, options.examples),
            *see_also(['kodama(3)', *(f'kodama_{name}(3)' for name in sorted(near))])]


def overview(headers: dict[str, Header], options: argparse.Namespace) -> list[str]:
    """kodama(3): what there is, and the rules that hold everywhere."""
    shared = headers[SHARED]
    out = [*top(OVERVIEW, options.version, 'a voice engine as a library', OVERVIEW),
           *synopsis(shared), '.SH DESCRIPTION', *paragraphs(headers[OVERVIEW].head), '.PP',
           'The pages, one for each header:']
    pages = [stem for stem in sorted(headers) if stem not in (OVERVIEW, SHARED)]
    for stem in pages:
        out += ['.TP', f'.BR kodama_{stem} (3)', *prose(sentence(headers[stem].head))]
    out += ['.PP', *prose('Every function and type has a page of its own name, too, for example'
                          ' kodama_ring_create().')]
    out += ['.SH CONVENTIONS', *paragraphs(CONVENTIONS.split('\n'))]
    out += sections(shared, 'versions and constants')
    return out + see_also([*SEE_ALSO_COMMANDS, *(f'kodama_{stem}(3)' for stem in pages)])


def included(everything: pathlib.Path) -> list[pathlib.Path]:
    """The header for everything and those that it includes."""
    names = re.findall(r'#include <kodama/(\w+\.h)>', everything.read_text(encoding='utf-8'))
    return [everything, *(everything.parent / name for name in names)]


def page_names(paths: list[pathlib.Path]) -> list[str]:
    """The names of all pages; the same whether or not the headers are well documented."""
    names = {OVERVIEW}
    for path in paths:
        names |= {*header_reader.names_of(path), f'kodama_{path.stem}'}
    return sorted(names - {f'kodama_{OVERVIEW}', f'kodama_{SHARED}'})


def write_pages(options: argparse.Namespace) -> list[str]:
    """Write all pages; returns what is wrong with the headers."""
    headers: dict[str, Header] = {}
    problems: list[str] = []
    for path in options.files:
        try:
            headers[path.stem] = header_reader.Reader(path).read()
        except HeaderError as error:
            problems.append(str(error))
    for path in sorted(options.files[0].parent.glob('*.h')):
        if path not in options.files:
            problems.append(f'{path.name} is not included by kodama.h, which is for everything')
    if problems:
        return problems
    pages: dict[str, list[str]] = {OVERVIEW: overview(headers, options)}
    for stem, header in headers.items():
        if stem not in (OVERVIEW, SHARED):
            pages[f'kodama_{stem}'] = page_of(header, headers, options)
    for path in options.files:
        target = OVERVIEW if path.stem in (OVERVIEW, SHARED) else f'kodama_{path.stem}'
        for name in header_reader.names_of(path):
            pages.setdefault(name, [f'.so man3/{target}.3'])
    for name, lines in pages.items():
        for reference in re.findall(r'\\fB(kodama_\w+)\\fP\(3\)', '\n'.join(lines)):
            if reference not in pages and name != OVERVIEW:
                problems.append(f'{name}.h speaks of {reference}(), which no header declares')
    for name, lines in pages.items():
        lines = [line for before, line in zip(['', *lines], lines)
                 if line != '.PP' or not before.startswith(('.SH', '.SS'))]  # which begin one, too
        (options.out / f'{name}.3').write_text('\n'.join(lines) + '\n', encoding='ascii')
    return problems


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--headers', action='store_true', help='print what the header includes')
    parser.add_argument('--list', action='store_true', help='print the names of the pages')
    parser.add_argument('--depfile', type=pathlib.Path, help='write what the pages depend on')
    parser.add_argument('--version', default='')
    parser.add_argument('--out', type=pathlib.Path, default=pathlib.Path('.'))
    parser.add_argument('--examples', type=pathlib.Path, default=pathlib.Path('examples'))
    parser.add_argument('files', type=pathlib.Path, nargs='+', help='the public headers')
    options = parser.parse_args()
    if options.headers:
        print('\n'.join(str(path) for path in included(options.files[0])))
        return 0
    if options.list:
        print('\n'.join(page_names(options.files)))
        return 0
    problems = write_pages(options)
    if options.depfile:
        used = [*options.files, *options.examples.glob('*.c'), pathlib.Path(header_reader.__file__)]
        target = options.out / f'{OVERVIEW}.3'
        options.depfile.write_text(f'{target}: {" ".join(str(path) for path in used)}\n')
    for problem in problems:
        print(f'header_pages.py: {problem}', file=sys.stderr)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())

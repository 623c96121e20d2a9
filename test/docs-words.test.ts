/** The Markdown stays short, its links lead to a file and heading, and the paths in ARCHITECTURE.md exist. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'

const root = join(import.meta.dirname, '..')

/** A page about a new capability may raise this limit by its own length, at most 800 words. */
const maxWords = 44_790

const maxReadmeLines = 120

/** Limits of single pages, in words. */
const maxPageWords: Record<string, number> = { 'README.md': 1100, 'docs/flow.md': 600 }
const maxDecisionWords = 400

const isGenerated = (page: string) => page.startsWith('docs/generated/')

const pages = globSync('**/*.md', { cwd: root, exclude: ['node_modules', 'dist', 'cdk.out', '.git'] }).sort()
const countedPages = pages.filter((page) => page !== 'CHANGELOG.md' && !isGenerated(page))
const decisions = pages.filter((page) => page.startsWith('docs/decisions/'))
const read = (page: string) => readFileSync(join(root, page), 'utf8')

/** Counts words as `wc -w` does. */
const wordsOf = (page: string) =>
  read(page)
    .split(/\s+/)
    .filter((word) => word !== '').length

describe('the length of the Markdown', () => {
  test(`is at most ${maxWords} words without the changelog and the generated pages`, () => {
    const words = countedPages.map((page): [page: string, words: number] => [page, wordsOf(page)])
    const total = words.reduce((sum, [, count]) => sum + count, 0)
    const pagesByLength = words.sort(([, a], [, b]) => b - a).slice(0, 5)
    const list = pagesByLength.map(([page, count]) => `${page} ${count}`).join(', ')
    assert.ok(total <= maxWords, `${total} words; the longest pages: ${list}`)
  })
  test(`is at most ${maxReadmeLines} lines in the README`, () => {
    assert.ok(read('README.md').trimEnd().split('\n').length <= maxReadmeLines)
  })
  const limits = [
    ...Object.entries(maxPageWords),
    ...decisions.map((page): [string, number] => [page, maxDecisionWords]),
  ]
  for (const [page, limit] of limits)
    test(`is at most ${limit} words in ${page}`, () => {
      const words = wordsOf(page)
      assert.ok(words <= limit, `${words} words`)
    })
})

/** Removes fenced blocks, comments and inline code: what looks like a link there is none. */
const prose = (markdown: string) =>
  markdown
    .replaceAll(/^ *(```|~~~)[\s\S]*?^ *\1 *$/gm, '')
    .replaceAll(/<!--[\s\S]*?-->/g, '')
    .replaceAll(/`[^`\n]*`/g, '')

/** GitHub's anchors: lower case, without punctuation, spaces as hyphens, a number where a heading repeats. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  const withoutBlocks = markdown.replaceAll(/^ *(```|~~~)[\s\S]*?^ *\1 *$/gm, '')
  for (const [, heading = ''] of withoutBlocks.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text.replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-')
    let unique = anchor
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`
    anchors.add(unique)
  }
  return anchors
}

/** @returns the links of a page that have no target */
function brokenLinks(page: string, markdown: string): string[] {
  const inline = [...prose(markdown).matchAll(/\]\(\s*<?([^\s)>]+)>?[^)]*\)/g)]
  const references = [...prose(markdown).matchAll(/^ *\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/gm)]
  return [...inline, ...references]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)))
      if (file.startsWith('..') || !existsSync(join(root, file))) return true
      return anchor !== undefined && !(file.endsWith('.md') && anchorsOf(read(file)).has(anchor))
    })
}

describe('links', () => {
  test('exist on more than ten pages, so that the next tests check something', () => {
    assert.ok(pages.length > 20)
    assert.ok(pages.filter((page) => /\]\([^)]+\.md/.test(prose(read(page)))).length > 10)
  })
  for (const page of pages)
    test(`of ${page} lead to a file and a heading`, () => assert.deepEqual(brokenLinks(page, read(page)), []))
})

describe('the check of links', () => {
  const broken = (markdown: string) => brokenLinks('docs/flow.md', markdown)
  const cases: [name: string, markdown: string, broken: string[]][] = [
    ['accepts a link to a file', '[a](connectors.md)', []],
    ['accepts a link to a folder', '[a](decisions/)', []],
    ['accepts a link to a heading of another page', '[a](../README.md#try-it)', []],
    ['accepts a link to a heading of the same page', '[a](#reception)', []],
    ['ignores links to the web', '[a](https://example.com/x#y) [b](mailto:a@b.example)', []],
    ['ignores links in code', '`[a](x.md)`\n\n```\n[a](y.md)\n```\n', []],
    ['finds a link to a missing file', '[a](none.md)', ['none.md']],
    ['finds a link to a missing heading of another page', '[a](../README.md#none)', ['../README.md#none']],
    ['finds a link to a missing heading of the same page', '[a](#none)', ['#none']],
    ['finds a reference link to a missing file', '[a][b]\n\n[b]: none.md\n', ['none.md']],
    ['finds a link out of the project', '[a](../../none.md)', ['../../none.md']],
  ]
  for (const [name, markdown, expected] of cases)
    test(name, () => assert.deepEqual(broken(markdown), expected))
  test('numbers the anchors of headings that repeat', () => {
    assert.deepEqual([...anchorsOf('# A, `b`!\n## A b\n## A b\n')], ['a-b', 'a-b-1', 'a-b-2'])
  })
})

test('ARCHITECTURE.md names only files and folders that exist', () => {
  const namedPaths = [
    ...read('ARCHITECTURE.md').matchAll(/`((?:cli|docs|functions|infra|shared|test)\/[\w./-]*)`/g),
  ]
  assert.ok(namedPaths.length > 30)
  const missing = namedPaths.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))
  assert.deepEqual(missing, [])
})

/** Names and texts use the words of docs/glossary.md and no word that it refuses. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { codeOf, forbiddenUses, readRulings, readTerms, type Use, wordsOfName } from './support/vocabulary.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const glossary = read('docs/glossary.md')
const rulings = readRulings(glossary)

/** Places where a refused word is permitted, and the reason. A path ends with `/` for a folder. */
const exceptions: readonly { word: string; path: string; because: string }[] = [
  { word: '*', path: 'docs/glossary.md', because: 'the page lists the words' },
  { word: '*', path: 'CHANGELOG.md', because: 'the page quotes names of older versions' },
  { word: '*', path: 'test/vocabulary.test.ts', because: 'its cases use the words' },
  {
    word: 'told',
    path: 'functions/rotate-certificate/',
    because: 'it is a field of the stored item and of the log',
  },
  { word: 'dialog', path: 'test/console/', because: 'it is a role of ARIA' },
  { word: 'demand', path: 'test/peers/', because: 'it is in the name of a setting of Postfix' },
]

const isExcepted = ({ word, file }: Use): boolean =>
  exceptions.some(
    (each) =>
      (each.word === '*' || each.word === word) &&
      (each.path.endsWith('/') ? file.startsWith(each.path) : file === each.path),
  )

const tracked = execFileSync('git', ['ls-files', '*.ts', '*.tsx', '*.md'], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n')

test('no name and no text uses a word that the glossary refuses', () => {
  const uses = tracked
    .flatMap((file) => forbiddenUses(file, read(file), rulings))
    .filter((use) => !isExcepted(use))
  const lines = uses.map(({ file, line, word, use }) => `${file}:${line}: "${word}": use "${use}"`)
  assert.deepEqual(lines, [])
})

test('every word that occurs in three or more names is in the glossary or in the list of standard words', () => {
  const standard = new Set([
    ...read('test/fixtures/standard-words.txt').split('\n'),
    ...readTerms(glossary).flatMap((term) => term.split(/[^a-z]+/)),
  ])
  const names = new Set(
    tracked
      .filter((file) => /\.tsx?$/.test(file))
      .flatMap((file) => codeOf(read(file)).match(/\b[A-Za-z_$][\w$]*/g) ?? []),
  )
  const namesOfWord = new Map<string, string[]>()
  for (const name of names)
    for (const word of new Set(wordsOfName(name)))
      namesOfWord.set(word, [...(namesOfWord.get(word) ?? []), name])
  const unknown = [...namesOfWord]
    .filter(([word, using]) => using.length >= 3 && !standard.has(word))
    .map(([word, using]) => `${word} (${using.slice(0, 3).join(', ')})`)
  assert.deepEqual(
    unknown,
    [],
    'a new term goes into docs/glossary.md, an ordinary word into test/fixtures/standard-words.txt',
  )
})

describe('the check of words', () => {
  const rulingsOfTest = readRulings(
    [
      '| Term | Meaning | Source | Not |',
      '|---|---|---|---|',
      '| timeout | The longest wait | Node | patience, foresee*, `told`, put off |',
    ].join('\n'),
  )
  const wordsIn = (text: string, file = 'a.ts') =>
    forbiddenUses(file, text, rulingsOfTest).map(({ word }) => word)

  for (const [name, text, expected] of [
    ['a refused word in a name', 'const clientPatience = 1', ['patience']],
    ['a refused word in a comment', '// Its patience ends.', ['patience']],
    ['a refused word in a string', "const text = 'patience'", ['patience']],
    ['a word with a refused beginning', 'const foreseen = 1', ['foresee*']],
    ['a refused phrase', '// It is put off.', ['put off']],
    ['a text-only word in a name', 'const toldOf = 1', ['told']],
    ['a text-only word in a comment', '// Bob told Ann.', []],
    ['a text-only word in a string', "log('told')", []],
    ['a text-only word in an expression of a template', `log(\`\${told}\`)`, ['told']],
    ['a text-only word in the text of a template', 'log(`told`)', []],
    ['a text-only word in a name before a regular expression', 'const told = /"/', ['told']],
    ['a longer word that ends with a refused word', 'const impatience = 1', []],
  ] as const)
    test(`${expected.length > 0 ? 'finds' : 'permits'} ${name}`, () =>
      assert.deepEqual(wordsIn(text), expected))

  test('names file, line and the word to use', () =>
    assert.deepEqual(forbiddenUses('a.md', 'one\npatience', rulingsOfTest), [
      { file: 'a.md', line: 2, word: 'patience', use: 'timeout' },
    ]))

  test('has only exceptions that name an existing file or folder', () => {
    for (const { path } of exceptions)
      assert.ok(
        tracked.some((file) => file.startsWith(path)),
        path,
      )
  })
})

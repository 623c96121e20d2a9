/** Reads doc comments, so that a reference page quotes the comment of each declaration. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

const declaration = /^( *)(?:export )?(?:(?:const|function) )?(\w+)(?:[:(]| = )/

/**
 * Returns the doc comments of a source file that `biome format` has formatted: the indentation shows the nesting.
 * @returns texts without line ends, by path such as `Config.functions.deliver`
 */
export function docComments(file: string): Map<string, string> {
  const comments = new Map<string, string>()
  const path: { indent: number; name: string }[] = []
  let comment: string[] = []
  let isInside = false
  for (const line of readFileSync(join(root, file), 'utf8').split('\n')) {
    if (/^ *\/\*\*/.test(line)) [comment, isInside] = [[], true]
    if (isInside) {
      comment.push(line.replace(/^ *(?:\/\*\*|\*(?!\/))?/, '').replace(/\*\/$/, ''))
      isInside = !line.endsWith('*/')
      continue
    }
    const [, { length: indent } = '', name] = declaration.exec(line) ?? []
    if (name !== undefined) {
      while ((path.at(-1)?.indent ?? -1) >= indent) path.pop()
      path.push({ indent, name })
      if (comment.length > 0) comments.set(path.map((part) => part.name).join('.'), sentence(comment))
    }
    comment = []
  }
  return comments
}

const sentence = (lines: readonly string[]): string => lines.join(' ').replaceAll(/\s+/g, ' ').trim()

/** Returns the text of a comment before its first tag, and its `@default`. */
export function parseComment(comment = ''): { text: string; default: string | undefined } {
  const [text = '', ...tags] = comment.split(/(?:^| )@(?=[a-z]+ )/)
  return { text, default: tags.find((tag) => tag.startsWith('default '))?.slice('default '.length) }
}

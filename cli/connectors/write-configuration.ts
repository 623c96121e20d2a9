/**
 * Writes a configuration as the file that `apply` reads. A field that has its default value is omitted, unless the
 * field is in `alwaysShown`. Fields that the server assigns (ids, versions, times) are omitted.
 */
import { isDeepStrictEqual } from 'node:util'
import { Document, isNode, visit } from 'yaml'
import { invisibleCharacter, mapInvisible } from '../../shared/contract/visible-text.ts'
import {
  acceptedDomains,
  alwaysShown,
  type Configuration,
  type DesiredEntry,
  defaultsOf,
  type EntryKind,
  entryKinds,
} from './entry-kinds.ts'

/**
 * @param heading the comment at the beginning of the file
 * @param commentAbove returns the comment above an entry; empty for none
 * @param isPartial marks the file as a part of the configuration, for which `apply` refuses --prune
 */
export function writeConfiguration(
  configuration: Partial<Configuration>,
  heading: string,
  commentAbove: (entry: DesiredEntry) => string = () => '',
  isPartial = false,
): string {
  const sections = entryKinds.flatMap((kind) => {
    const entries = configuration[kind.name] ?? null
    return entries === null ? [] : [{ kind, entries }]
  })
  const content = sections.map(({ kind, entries }) => [
    kind.name,
    entries.map((entry) => contentOf(kind, entry)),
  ])
  const mark = isPartial ? [['partial', true]] : []
  const document = new Document(Object.fromEntries([...mark, ...content]), { aliasDuplicateObjects: false })
  document.commentBefore = commentOf(heading)
  for (const { kind, entries } of sections)
    for (const [index, entry] of entries.entries()) {
      const node = document.getIn([kind.name, index], true)
      if (isNode(node) && commentAbove(entry) !== '') node.commentBefore = commentOf(commentAbove(entry))
    }
  return escapeInvisible(document)
}

/**
 * Returns the YAML with an escape for each invisible character, which only a double-quoted scalar can have (YAML 1.2
 * §5.7). So a terminal that shows the file shows every character, and `apply` reads the same values.
 */
function escapeInvisible(document: Document): string {
  visit(document, {
    Scalar(_, node) {
      const { value } = node
      if (typeof value === 'string' && invisibleCharacter.test(value.replaceAll('\n', '')))
        node.type = 'QUOTE_DOUBLE'
    },
  })
  return mapInvisible(document.toString({ lineWidth: 0 }), (character) =>
    character === '\n' ? character : yamlEscape(character),
  )
}

const yamlEscape = (character: string): string =>
  `\\U${character.codePointAt(0)?.toString(16).padStart(8, '0')}`

const commentOf = (text: string): string => text.replace(/^/gm, ' ')

function contentOf(kind: EntryKind, { label, fields }: DesiredEntry): unknown {
  const defaults = defaultsOf(kind)
  const writtenFields = Object.entries(fields).filter(
    ([name, value]) => alwaysShown.includes(name) || !isDeepStrictEqual(value, defaults[name]),
  )
  if (kind !== acceptedDomains) return Object.fromEntries(writtenFields)
  return writtenFields.length === 0 ? label : { domain: label, ...Object.fromEntries(writtenFields) }
}

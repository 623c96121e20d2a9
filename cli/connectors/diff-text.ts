/** Formats a plan: new entries, changed fields, removals and their effect. */
import { X509Certificate } from 'node:crypto'
import { fingerprintOf } from '../../shared/tls/fingerprint.ts'
import { printable } from '../text/format.ts'
import { indentParagraph } from '../text/table.ts'
import { effectsOf } from './effects-of-change.ts'
import { alwaysShown, defaultsOf, type EntryKind, entryKinds, type Fields } from './entry-kinds.ts'
import type { Change } from './plan-changes.ts'

export function diffText(changes: readonly Change[]): string {
  return entryKinds
    .map((kind) => [kind, changes.filter(({ entryKind }) => entryKind === kind)] as const)
    .filter(([, ofKind]) => ofKind.length > 0)
    .map(([kind, ofKind]) => [`${kind.singular}s`, ...ofKind.map(changeText)].join('\n'))
    .join('\n\n')
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'Create':
      return [
        formatLine('+', change.desired.label, 'new'),
        ...settingLines(change.entryKind, change.desired.fields),
      ].join('\n')
    case 'Replace':
      return [
        formatLine('~', change.desired.label, 'changed'),
        ...change.fields.flatMap(({ field, from, to }) => fieldLines(field, from, to)),
        ...effectLines(change),
      ].join('\n')
    case 'Unchanged':
      return formatLine('=', change.current.label, 'unchanged')
    case 'NotInFile':
      return formatLine('?', change.current.label, 'not in the file, kept (--prune removes it)')
    case 'Remove':
      return [formatLine('-', change.current.label, 'removed'), ...effectLines(change)].join('\n')
  }
}

const effectLines = (change: Change): string[] =>
  effectsOf(change).map((sentence) => indentParagraph(sentence, 6))

const formatLine = (sign: string, label: string, status: string): string =>
  `  ${sign} ${printable(label)}: ${status}`

/** Lists the fields that differ from their defaults, and those that are always shown. */
function settingLines(kind: EntryKind, fields: Fields): string[] {
  const defaults = defaultsOf(kind)
  return Object.entries(fields)
    .filter(
      ([name, value]) =>
        name !== 'name' &&
        (alwaysShown.includes(name) || JSON.stringify(value) !== JSON.stringify(defaults[name])),
    )
    .map(([name, value]) => `      ${name}: ${formatValue(value)}`)
}

/** Shows a long list by its added and removed items. */
function fieldLines(field: string, from: unknown, to: unknown): string[] {
  const line = `      ${field}: ${formatValue(from)} → ${formatValue(to)}`
  if (!Array.isArray(from) || !Array.isArray(to) || line.length <= 110) return [line]
  const [old, now] = [from.map(formatItem), to.map(formatItem)]
  const lines = [
    ...old.filter((item) => !now.includes(item)).map((item) => `        - ${item}`),
    ...now.filter((item) => !old.includes(item)).map((item) => `        + ${item}`),
  ]
  return [`      ${field}:${lines.length === 0 ? ' order changed' : ''}`, ...lines]
}

export function formatValue(value: unknown): string {
  if (!Array.isArray(value)) return formatItem(value)
  return value.length === 0 ? 'none' : value.map(formatItem).join(', ')
}

function formatItem(value: unknown): string {
  if (value === null) return 'null'
  if (value === '') return '""'
  if (typeof value === 'string')
    return value.includes('-----BEGIN CERTIFICATE-----') ? certificateText(value) : printable(value)
  if (typeof value === 'object' && 'host' in value && 'port' in value) return `${value.host}:${value.port}`
  return JSON.stringify(value)
}

/** Shows subject and fingerprint instead of PEM. */
function certificateText(pem: string): string {
  const certificate = new X509Certificate(pem)
  return `certificate ${printable(certificate.subject)} (SHA-256 ${fingerprintOf(certificate).slice(0, 16)}…)`
}

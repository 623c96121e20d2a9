/** Formats a plan: new entries, changed fields, removals and their effect. */
import { X509Certificate } from 'node:crypto'
import { fingerprintOf } from '../../shared/tls/fingerprint.ts'
import { indented } from '../text/table.ts'
import { printable } from '../text/words.ts'
import { consequenceOfRemoving, weakened } from './change-consequences.ts'
import { defaultsOf, type Fields, type Kind, kinds } from './kinds.ts'
import type { Change } from './plan-changes.ts'

export function diffText(changes: readonly Change[]): string {
  return kinds
    .map((kind) => [kind, changes.filter(({ of }) => of === kind)] as const)
    .filter(([, ofKind]) => ofKind.length > 0)
    .map(([kind, ofKind]) => [`${kind.one}s`, ...ofKind.map(changeText)].join('\n'))
    .join('\n\n')
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'Create':
      return [line('+', change.wanted.label, 'new'), ...settings(change.of, change.wanted.fields)].join('\n')
    case 'Replace':
      return [
        line('~', change.wanted.label, 'changed'),
        ...change.fields.flatMap(({ field, from, to }) => fieldText(field, from, to)),
        ...weakened(change.fields).map((sentence) => indented(sentence, 6)),
      ].join('\n')
    case 'Unchanged':
      return line('=', change.existing.label, 'unchanged')
    case 'NotInFile':
      return line('?', change.existing.label, 'not in the file, kept (--prune removes it)')
    case 'Remove':
      return [
        line('-', change.existing.label, 'not in the file, removed'),
        indented(consequenceOfRemoving(change.of, change.existing.fields), 6),
      ].join('\n')
  }
}

const line = (sign: string, label: string, what: string): string => `  ${sign} ${printable(label)}: ${what}`

/** Lists the fields that differ from their defaults. */
function settings(kind: Kind, fields: Fields): string[] {
  const defaults = defaultsOf(kind)
  return Object.entries(fields)
    .filter(([name, value]) => name !== 'name' && JSON.stringify(value) !== JSON.stringify(defaults[name]))
    .map(([name, value]) => `      ${name}: ${shown(value)}`)
}

/** Shows a long list by its added and removed items. */
function fieldText(field: string, from: unknown, to: unknown): string[] {
  const both = `      ${field}: ${shown(from)} → ${shown(to)}`
  if (!Array.isArray(from) || !Array.isArray(to) || both.length <= 110) return [both]
  const [old, now] = [from.map(shownItem), to.map(shownItem)]
  const lines = [
    ...old.filter((item) => !now.includes(item)).map((item) => `        - ${item}`),
    ...now.filter((item) => !old.includes(item)).map((item) => `        + ${item}`),
  ]
  return [`      ${field}:${lines.length === 0 ? ' order changed' : ''}`, ...lines]
}

function shown(value: unknown): string {
  if (!Array.isArray(value)) return shownItem(value)
  return value.length === 0 ? 'none' : value.map(shownItem).join(', ')
}

function shownItem(value: unknown): string {
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

/**
 * Notices of an import. The risk is a requirement that is lost without notice, so weaker settings have their own
 * weight.
 */
import { printable } from '../text/format.ts'

/** `Left out`: not in the file. `Disabled`: in the file with `enabled: false`. */
const weights = [
  'Left out',
  'Disabled',
  'Weaker than in Exchange',
  'Stricter than in Exchange',
  'Note',
] as const
export type Weight = (typeof weights)[number]

export interface Notice {
  readonly weight: Weight
  /** `inbound connector "Contoso"` */
  readonly about: string
  readonly text: string
}

/** Collects the notices about one object. */
export class NoticeCollector {
  readonly notices: Notice[] = []
  readonly about: string

  constructor(about: string) {
    this.about = about
  }

  add(weight: Weight, text: string): void {
    this.notices.push({ weight, about: this.about, text })
  }

  note(text: string): void {
    this.add('Note', text)
  }

  leftOut(): Notice[] {
    return this.notices.filter(({ weight }) => weight === 'Left out')
  }
}

/** Groups notices by object, the most serious first. */
export function noticesText(notices: readonly Notice[]): string {
  const lines = [...Map.groupBy(notices, ({ about }) => about)].flatMap(([about, objectNotices]) => [
    printable(about),
    ...objectNotices
      .toSorted((a, b) => weights.indexOf(a.weight) - weights.indexOf(b.weight))
      .map(({ weight, text }) => `  ${weight}: ${printable(text)}`),
  ])
  return lines.map((line) => `${line}\n`).join('')
}

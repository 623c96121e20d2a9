/**
 * What an import says beside the file it writes. The danger of a move is a demand that quietly did not come along,
 * so what is weaker than in Exchange is told apart from what is only different.
 */
import { printable } from '../text/words.ts'

/** `Left out`: not in the file at all. `Disabled`: in it, without effect until somebody enables it. */
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
  readonly says: string
}

/** Notices about one thing. */
export class Remarks {
  readonly notices: Notice[] = []
  readonly about: string

  constructor(about: string) {
    this.about = about
  }

  add(weight: Weight, says: string): void {
    this.notices.push({ weight, about: this.about, says })
  }

  note(says: string): void {
    this.add('Note', says)
  }

  leftOut(): Notice[] {
    return this.notices.filter(({ weight }) => weight === 'Left out')
  }
}

/** What is said about one thing stands together, the gravest first. */
export function noticesText(notices: readonly Notice[]): string {
  const lines = [...Map.groupBy(notices, ({ about }) => about)].flatMap(([about, some]) => [
    printable(about),
    ...some
      .toSorted((a, b) => weights.indexOf(a.weight) - weights.indexOf(b.weight))
      .map(({ weight, says }) => `  ${weight}: ${printable(says)}`),
  ])
  return lines.map((line) => `${line}\n`).join('')
}

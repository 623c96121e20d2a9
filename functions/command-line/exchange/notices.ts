/**
 * What an import says beside the file it writes. The danger of a move is a demand that quietly did not come along,
 * so what is weaker than in Exchange is told apart from what is only different.
 */

/** `Left out`: not in the file at all. `Disabled`: in it, without effect until somebody enables it. */
export type Weight =
  | 'Left out'
  | 'Disabled'
  | 'Weaker than in Exchange'
  | 'Stricter than in Exchange'
  | 'Note'

export interface Notice {
  readonly weight: Weight
  /** `inbound connector "Contoso"` */
  readonly about: string
  readonly says: string
}

/** Notices about one thing. */
export class Remarks {
  readonly notices: Notice[] = []
  readonly #about: string

  constructor(about: string) {
    this.#about = about
  }

  add(weight: Weight, says: string): void {
    this.notices.push({ weight, about: this.#about, says })
  }

  note(says: string): void {
    this.add('Note', says)
  }
}

export const noticeText = ({ weight, about, says }: Notice): string => `${weight}: ${about}: ${says}`

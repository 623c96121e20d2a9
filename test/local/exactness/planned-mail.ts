/** Which messages the clients send, and what the partner does with them. A recipient's address says it. Pure. */

export interface PlannedMessage {
  serial: number
  sender: string
  recipients: readonly string[]
  isOverTls: boolean
}

/**
 * `taken`: the partner accepts mail. `later`: it refuses the recipient once, with 451. `never`: it refuses the recipient
 * with 550.
 */
export type Behaviour = 'taken' | 'later' | 'never'

/** Of forty messages these differ; the others have one recipient whose mail is taken. */
const special: Readonly<Record<number, { isIncoming: boolean; behaviours: readonly Behaviour[] }>> = {
  3: { isIncoming: true, behaviours: ['later'] },
  7: { isIncoming: true, behaviours: ['taken', 'later'] },
  11: { isIncoming: false, behaviours: ['never'] },
  14: { isIncoming: false, behaviours: ['taken', 'never'] },
  19: { isIncoming: true, behaviours: ['never'] },
  22: { isIncoming: false, behaviours: ['taken', 'taken', 'taken'] },
  31: { isIncoming: false, behaviours: ['later', 'never'] },
}

/** One message in four comes from outside, and must be authenticated. */
export function plannedMessage(serial: number): PlannedMessage {
  const { isIncoming, behaviours } = special[serial % 40] ?? {
    isIncoming: serial % 4 === 0,
    behaviours: ['taken' as const],
  }
  return {
    serial,
    sender: isIncoming ? 'client@elsewhere.example' : 'user@ours.example',
    recipients: behaviours.map(
      (behaviour, index) =>
        `${behaviour}-${serial}-${index}@${isIncoming ? 'ours.example' : 'partner.example'}`,
    ),
    isOverTls: serial % 3 !== 0,
  }
}

export const behaviourOf = (address: string): Behaviour | null =>
  (/^(taken|later|never)-/.exec(address)?.[1] as Behaviour | undefined) ?? null

const serialField = 'X-Serial'

export const contentOf = ({ serial, sender }: PlannedMessage): string =>
  `From: <${sender}>\r\n${serialField}: ${serial}\r\nSubject: message ${serial}\r\n\r\nbody\r\n`

/** @returns the serial number in a message, or in the header that a DSN returns; null without one */
export function serialIn(content: string): number | null {
  const [, serial] = /^X-Serial: (\d+)\r?$/m.exec(content) ?? []
  return serial === undefined ? null : Number(serial)
}

/** Name and description of an alarm. infra/ writes them into the template, and `GET /health` reads them from CloudWatch. */
export interface AlarmText {
  /** Short description of the event; also a heading in docs/runbook.md. */
  readonly title: string
  /** The effect on mail, in one sentence. */
  readonly impact: string
}

/** The beginning of the names of a stack's alarms. The name of a stack has no colon, so no other stack has this prefix. */
export const alarmNamePrefix = (stackName: string): string => `${stackName}: `

export const alarmName = (stackName: string, { title }: AlarmText): string =>
  alarmNamePrefix(stackName) + title

const runbookSentence = (title: string): string => ` What to do: docs/runbook.md, "${title}".`

export const alarmDescription = ({ title, impact }: AlarmText): string => impact + runbookSentence(title)

/** @returns null when the name and description are not those of an alarm of the stack */
export function parseAlarm(stackName: string, name: string, description: string): AlarmText | null {
  const prefix = alarmNamePrefix(stackName)
  if (!name.startsWith(prefix)) return null
  const title = name.slice(prefix.length)
  const sentence = runbookSentence(title)
  return description.endsWith(sentence) ? { title, impact: description.slice(0, -sentence.length) } : null
}

/** Returns the address of an alarm's section, from the project's folder, with GitHub's anchor of the heading. */
export const runbookSection = (title: string): string => `docs/runbook.md#${headingAnchor(title)}`

const headingAnchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')

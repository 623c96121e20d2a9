/** The titles of the steps, and what each is called in the Exchange admin center. Pure. */
import type { Draft } from './draft.ts'
import type { Step } from './fields.ts'

export function stepTexts(step: Step, { direction, values }: Draft): { title: string; description: string } {
  const isInbound = direction === 'inbound'
  const texts = {
    FromTo: ['From and to', 'Which way the mail goes. Exchange: “Connection from” and “Connection to”.'],
    Name: ['Name', 'The connector’s name, and how far it is enforced.'],
    Use: [
      'Use of the connector',
      isInbound
        ? values.connectorType === 'Partner'
          ? 'The domains whose mail it restricts.'
          : 'The domains whose mail our servers may send.'
        : 'The domains to which it sends.',
    ],
    Routing: isInbound
      ? ['Sending servers', 'How the servers are recognised. Exchange: “Authenticating sent email”.']
      : ['Routing', 'Where the mail is sent.'],
    Security: ['Security restrictions', 'The TLS that is required.'],
    DryRun: [
      'Dry run',
      'What it would have done with the mail of the last 7 days. In Exchange, “Validation” is here. mailflow validates an outbound connector after it is saved.',
    ],
    Review: ['Review', 'What is saved, and what it does to mail.'],
  } as const satisfies Record<Step, readonly [string, string]>
  const [title, description] = texts[step]
  return { title, description }
}

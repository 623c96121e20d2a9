/** `retry`: requests an immediate attempt for waiting mail. */
import { countText } from '../../shared/policy/text-lists.ts'
import { type CommandInvocation, defineCommand } from '../command.ts'
import { type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import {
  findRequestedConnectors,
  mailRequestOptions,
  requestForConnector,
  requestForMail,
} from '../connectors/request-for-mail.ts'
import { jsonText } from '../text/format.ts'

const options = {
  ...mailRequestOptions,
  all: {
    type: 'boolean',
    description: 'all mail of the last 14 days that is neither delivered nor bounced',
  },
} as const

export const retry = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options,
  details: `
Give the id of a message, or --connector, or --all. The gateway evaluates the current connectors again for each message,
and sends it only if their requirements are met, and no less than those of its first decision. When an inbound and an
outbound connector have the same name, both are included.

--all is for a gateway that has lost its queues, as after a restore. It also requests mail whose attempt is not recorded
yet (Pending). Mail that expired meanwhile bounces.
`,
  async run(invocation) {
    const { values, positionals } = invocation
    const isForSome = positionals.length > 0 || values.connector !== undefined
    if (values.all && isForSome)
      throw new UsageError('retry --all concerns all mail, so it takes no id and no --connector')
    if (values.all) return retryAll(invocation)
    if (!isForSome) throw new UsageError('retry needs a message id, or --connector NAME|ID, or --all')
    return requestForMail('retry', 'retry', invocation, findRequestedConnectors)
  },
})

async function retryAll({ values, io, api }: CommandInvocation<typeof options>): Promise<ExitStatus> {
  const { requested, messages } = await requestForConnector(api, 'retry', '/messages')
  const text =
    requested === 0
      ? 'No mail waits.'
      : `Requested a retry for ${countText(requested, 'recipient')} of ${countText(messages, 'message')}.`
  io.out(values.json ? jsonText({ requested, messages }) : `${text}\n`)
  return exitStatus.ok
}

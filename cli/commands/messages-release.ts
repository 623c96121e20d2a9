/** `messages release`: delivers a message that an inbound connector holds. */
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { requestForMessage } from '../connectors/request-for-mail.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { messageId } from '../input/message-id.ts'
import { becauseOption, requiredReason } from '../queues/because-option.ts'
import { jsonText, printable } from '../text/format.ts'

export const releaseMessage = defineCommand({
  positionalUsage: { usage: 'ID', minCount: 1, maxCount: 1 },
  requiredOptions: '--because TEXT',
  usesApi: true,
  options: { ...becauseOption, ...yesOption, ...jsonOption },
  details: `
Delivers a message that an inbound connector holds, despite its violation. What the outbound connector requires still
applies: if the next hop does not meet it, the message waits. The reason is in the trace and in the event.
`,
  async run({ values, positionals: [text = ''], io, api }) {
    const reason = requiredReason('messages release', values.because)
    const id = messageId(text)
    if (!values.yes) await confirm(`Deliver message ${printable(id)} despite its violation`, io)
    const result = await requestForMessage(api, 'release', id, { reason })
    io.out(values.json ? jsonText(result.json) : `${result.text}\n`)
    return exitStatus.ok
  },
})

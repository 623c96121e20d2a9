/** `certificates dismiss`: records that an unknown certificate is not the partner's. */
import * as z from 'zod'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { requiredReason } from '../queues/because-option.ts'
import { formatTime, jsonText, printable } from '../text/format.ts'

const Dismissed = z.looseObject({
  connector: z.looseObject({ name: z.string() }),
  dismissal: z.looseObject({ until: z.string() }),
})

export const dismissCertificate = defineCommand({
  positionalUsage: { usage: 'ID', minCount: 1, maxCount: 1 },
  requiredOptions: '--because TEXT',
  usesApi: true,
  options: {
    because: {
      type: 'string',
      value: 'TEXT',
      description: 'the reason, at most 500 characters, for other administrators',
    },
    ...jsonOption,
  },
  details: `
"npx mailflow certificates unknown" shows the id. The certificate causes no notice at this connector for 90 days. What
happens to mail with it does not change, and the metric UnknownCertificates still counts it. The command needs the role
operate.
`,
  async run({ values, positionals: [id = ''], io, api }) {
    const reason = requiredReason('certificates dismiss', values.because)
    const path = `/certificates/unknown/${encodeURIComponent(id)}/dismiss`
    const result = await api.post(Dismissed, path, { reason })
    const { connector, dismissal } = result
    io.out(
      values.json
        ? jsonText(result)
        : `Dismissed at connector "${printable(connector.name)}" until ${formatTime(dismissal.until)}.\n`,
    )
    return exitStatus.ok
  },
})

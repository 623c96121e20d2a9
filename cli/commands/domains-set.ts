/** `domains set`: changes fields of an accepted domain. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { assign, parseAssignment } from '../connectors/assignments.ts'
import { editChange } from '../connectors/edit-connectors.ts'
import { acceptedDomains } from '../connectors/entry-kinds.ts'
import { changeOptions, makeChanges } from '../connectors/make-changes.ts'
import { isWritten } from '../connectors/plan-changes.ts'

const { waiting: _, ...options } = changeOptions

export const setDomain = defineCommand({
  positionalUsage: { usage: 'DOMAIN FIELD=VALUE …', minCount: 2, maxCount: Number.POSITIVE_INFINITY },
  usesApi: true,
  options,
  details: `
The fields are those of the file (docs/generated/api.md): recipients is Any, List or SmtpCallout. List needs a list,
which "recipients set" writes. The command shows the differences, and asks.
`,
  async run({ values, positionals: [text = '', ...texts], io, api }) {
    const assignments = texts.map(parseAssignment)
    return makeChanges(
      ({ current }) => {
        const found = current.acceptedDomains.find(({ key }) => key === normaliseDomain(text))
        if (found === undefined) throw new CommandError(`"${text}" is not an accepted domain`)
        return [
          editChange({ kind: acceptedDomains, connector: found }, (kind, fields) =>
            assignments.reduce((edited, assignment) => assign(kind, edited, assignment), fields),
          ),
        ]
      },
      (changes) => (changes.some(isWritten) ? `Change accepted domain ${text}` : null),
      { ...values, waiting: undefined },
      { api, io },
    )
  },
})

/** `caller`: shows who sends the requests, and with which roles. */
import * as z from 'zod'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { jsonText, printable } from '../text/format.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const LooseCaller = z.looseObject({ name: z.string(), roles: z.array(z.string()).nullable() })

export const caller = defineCommand({
  usesApi: true,
  options: { ...jsonOption },
  details: `
With the token of a person, the first line is the subject of the token, and the second line the roles that the setting
jwt.roles gives it. With AWS credentials, the first line is the IAM principal. It has no roles: the policies of IAM
decide about each request.

Exit status: 0; 1 if the API refuses the request, such as that of a person without a role.
`,
  async run({ values, io, api }) {
    const response = await api.get(z.unknown(), '/caller')
    const { name, roles } = parseResponse(LooseCaller, response, 'caller')
    if (values.json) io.out(jsonText(response))
    else io.out(`${printable(name)}\n${rolesText(roles)}\n`)
    return exitStatus.ok
  },
})

const rolesText = (roles: readonly string[] | null): string =>
  roles === null
    ? 'IAM policies decide what it may do'
    : `Roles: ${roles.length === 0 ? 'none' : printable(roles.join(', '))}`

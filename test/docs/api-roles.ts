/** The roles of the API's requests, and for each role the IAM policy of a machine with this role. */
import { allowsRole } from '../../shared/contract/allows-role.ts'
import { Role } from '../../shared/contract/roles.ts'
import { operations } from './api.ts'
import { code, page, table } from './markdown.ts'

const mark = (isAllowed: boolean) => (isAllowed ? 'yes' : '–')

/** `*` in place of a path parameter. IAM's `*` also matches slashes, so a test checks that no route of another role matches. */
const resourceOf = ({ method, path }: (typeof operations)[0]): string =>
  `arn:aws:execute-api:REGION:ACCOUNT:API/$default/${method}${path.replaceAll(/\{\w+\}/g, '*')}`

const policyOf = (role: Role): string =>
  JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'execute-api:Invoke',
          Resource: operations
            .filter(({ operation }) => allowsRole([role], operation['x-role']))
            .map(resourceOf)
            .sort(),
        },
      ],
    },
    null,
    2,
  )

/** A role that allows the same requests as an earlier role refers to the policy of that role. */
function policySection(role: Role, index: number, roles: readonly Role[]): string {
  const same = roles.slice(0, index).find((earlier) => policyOf(earlier) === policyOf(role))
  const policy = same === undefined ? `\`\`\`json\n${policyOf(role)}\n\`\`\`` : `The policy of ${code(same)}.`
  return `### ${role}\n\n${policy}`
}

export const apiRolesPage = (): string =>
  page(
    'Roles of the API',
    "the routes' descriptions and `shared/contract/roles.ts`",
    'A person has the roles that the setting `jwt.roles` gives to the values of a claim, and may send the requests of all of them. A machine may send the requests that its IAM policies allow.',
    '## Requests',
    table(
      ['Request', 'Effect', ...Role.options.map(code)],
      operations.map(({ target, operation }) => [
        target,
        operation.summary,
        ...Role.options.map((role) => mark(allowsRole([role], operation['x-role']))),
      ]),
    ),
    '## IAM policies',
    'Replace `REGION`, `ACCOUNT` and `API`; `API` is the first label of the output `ApiUrl`. `*` stands for a path parameter.',
    ...Role.options.map(policySection),
  )

/** Which functions may publish to which SNS topics: those whose role has the permission in the template, as on AWS. */
import * as z from 'zod'
import { parse, type Resolver, resourcesOfType, type Template } from '../template.ts'

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat())

const PolicyProperties = z.object({
  Roles: z.array(z.object({ Ref: z.string() })),
  PolicyDocument: z.object({
    Statement: z.array(z.looseObject({ Effect: z.string(), Action: oneOrMore, Resource: z.unknown() })),
  }),
})

const FunctionRole = z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.literal('Arn')]) })

/** The ARNs of topics by the logical id of the function that may publish to them. */
export type Publishers = ReadonlyMap<string, ReadonlySet<string>>

/** @throws StartError when the runner does not support a policy or a role of the template */
export function readPublishers(template: Template, resolver: Resolver): Publishers {
  const topicsOfRole = new Map<string, Set<string>>()
  for (const [id, properties] of resourcesOfType(template, 'AWS::IAM::Policy')) {
    const { Roles, PolicyDocument } = parse(PolicyProperties, properties, id)
    for (const { Effect, Action, Resource } of PolicyDocument.Statement) {
      if (Effect !== 'Allow' || !Action.includes('sns:Publish')) continue
      for (const { Ref: role } of Roles)
        for (const topic of [resolver.resolve(Resource)].flat())
          topicsOfRole.set(role, (topicsOfRole.get(role) ?? new Set()).add(String(topic)))
    }
  }
  return new Map(
    resourcesOfType(template, 'AWS::Lambda::Function').map(([id, { Role }]) => {
      const [role] = parse(FunctionRole, Role, id)['Fn::GetAtt']
      return [id, topicsOfRole.get(role) ?? new Set()]
    }),
  )
}

/** The access key of the runner itself, which may do everything. Every other access key is the id of a unit. */
export const administratorKey = 'local'

/**
 * The answer of SNS to a publisher without permission, or null for one with permission
 * (https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html, AuthorizationError).
 * @param authorization the header of the request, with an AWS signature
 */
export function refusal(
  authorization: string | undefined,
  topicArn: string,
  publishers: Publishers,
): string | null {
  const caller = /Credential=([^/,]+)\//.exec(authorization ?? '')?.[1] ?? ''
  if (caller === administratorKey || publishers.get(caller)?.has(topicArn)) return null
  const message = `User: ${caller} is not authorized to perform: SNS:Publish on resource: ${topicArn}`
  return `<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>${message}</Message></Error></ErrorResponse>`
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resolver, resourcesOfType, type Template } from '../../../infra/local/template.ts'

const template: Template = {
  Resources: {
    Mail: { Type: 'AWS::SQS::Queue', Properties: { DelaySeconds: 1 } },
    Role: { Type: 'AWS::IAM::Role' },
  },
}

function resolver(): Resolver {
  const resolver = new Resolver(template)
  resolver.register('Mail', { Ref: 'http://sqs/mail', Arn: 'arn:aws:sqs:us-east-1:000000000000:mail' })
  return resolver
}

test('resourcesOfType returns the resources of a type in a template, with their properties', () => {
  assert.deepEqual(resourcesOfType(template, 'AWS::SQS::Queue'), [['Mail', { DelaySeconds: 1 }]])
  assert.deepEqual(resourcesOfType(template, 'AWS::IAM::Role'), [['Role', {}]])
})

const values = [
  { name: 'plain values', value: { a: [1, 'b', null, true] }, expected: { a: [1, 'b', null, true] } },
  { name: 'Ref', value: { Ref: 'Mail' }, expected: 'http://sqs/mail' },
  { name: 'Ref of a pseudo parameter', value: { Ref: 'AWS::Region' }, expected: 'us-east-1' },
  {
    name: 'GetAtt as a list',
    value: { 'Fn::GetAtt': ['Mail', 'Arn'] },
    expected: 'arn:aws:sqs:us-east-1:000000000000:mail',
  },
  {
    name: 'GetAtt as a string',
    value: { 'Fn::GetAtt': 'Mail.Arn' },
    expected: 'arn:aws:sqs:us-east-1:000000000000:mail',
  },
  {
    name: 'Join of intrinsics',
    value: { 'Fn::Join': ['-', ['a', { Ref: 'AWS::Partition' }]] },
    expected: 'a-aws',
  },
  {
    name: 'Sub with resources, variables and an escape',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own syntax
    value: { 'Fn::Sub': ['${Mail}|${Mail.Arn}|${x}|${!kept}', { x: { Ref: 'AWS::AccountId' } }] },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own syntax
    expected: 'http://sqs/mail|arn:aws:sqs:us-east-1:000000000000:mail|000000000000|${kept}',
  },
  {
    name: 'Select of Split',
    value: { 'Fn::Select': [5, { 'Fn::Split': [':', { 'Fn::GetAtt': ['Mail', 'Arn'] }] }] },
    expected: 'mail',
  },
  {
    name: 'values nested in an object',
    value: { url: [{ Ref: 'Mail' }] },
    expected: { url: ['http://sqs/mail'] },
  },
]
for (const { name, value, expected } of values)
  test(`the resolver of a template resolves ${name}`, () =>
    assert.deepEqual(resolver().resolve(value), expected))

const faults = [
  {
    value: { Ref: 'Role' },
    message: 'template: Ref of Role (AWS::IAM::Role) is not implemented by the local runner',
  },
  {
    value: { 'Fn::GetAtt': ['Gone', 'Arn'] },
    message: 'template: Arn of Gone (not in the template) is not implemented by the local runner',
  },
  {
    value: { 'Fn::Cidr': [] },
    message: 'template: intrinsic function Fn::Cidr is not implemented by the local runner',
  },
]
for (const { value, message } of faults)
  test(`the resolver of a template throws an error that says why ${JSON.stringify(value)} cannot be resolved`, () => {
    assert.throws(() => resolver().resolve(value), { message })
  })

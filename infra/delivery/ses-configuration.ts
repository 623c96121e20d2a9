import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { ConfigurationSet, ConfigurationSetTlsPolicy } from 'aws-cdk-lib/aws-ses'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { UnitFunction } from '../unit.ts'

const anyIdentityReason =
  'The organisation verifies domains without a deployment; sesIdentityArns limits the identities.'

/**
 * Two configuration sets of SES, one for each of its TLS settings. The function that sends a message names one of them.
 */
export class SesConfiguration extends Construct {
  private readonly requireTls: ConfigurationSet
  private readonly optionalTls: ConfigurationSet

  constructor(scope: Construct, id: string) {
    super(scope, id)
    const set = (name: string, tlsPolicy: ConfigurationSetTlsPolicy) =>
      new ConfigurationSet(this, name, { tlsPolicy, reputationMetrics: true })
    this.requireTls = set('RequireTls', ConfigurationSetTlsPolicy.REQUIRE)
    this.optionalTls = set('OptionalTls', ConfigurationSetTlsPolicy.OPTIONAL)
  }

  /**
   * Lets the function send through SES with these two sets only, so that no other TLS setting applies.
   * @param identityArns identities that may send; empty means any identity of the account and Region
   */
  grantSend(sender: UnitFunction, identityArns: readonly string[]): void {
    const identities = identityArns.length > 0 ? identityArns : [this.arn('identity', '*')]
    acknowledge(
      sender.permissions,
      anyIdentityReason,
      'IAM5[Resource::arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*]',
    )
    const sets = [this.requireTls, this.optionalTls]
    const setArns = sets.map((set) => this.arn('configuration-set', set.configurationSetName))
    sender.addToRolePolicy(
      // API v2 checks ses:SendEmail, and for raw messages also ses:SendRawEmail.
      new PolicyStatement({
        actions: ['ses:SendRawEmail', 'ses:SendEmail'],
        resources: [...identities, ...setArns],
      }),
    )
    sender.addEnvironment('SES_CONFIGURATION_SET_REQUIRE_TLS', this.requireTls.configurationSetName)
    sender.addEnvironment('SES_CONFIGURATION_SET_OPTIONAL_TLS', this.optionalTls.configurationSetName)
  }

  /** Lets the function read the sending quota of the account, which is no resource with an ARN. */
  grantReadQuota(sender: UnitFunction): void {
    sender.addToRolePolicy(new PolicyStatement({ actions: ['ses:GetSendQuota'], resources: ['*'] }))
    acknowledge(sender.permissions, 'The sending quota belongs to the account.', 'IAM5[Resource::*]')
  }

  private arn(resource: string, resourceName: string): string {
    return Stack.of(this).formatArn({ service: 'ses', resource, resourceName })
  }
}

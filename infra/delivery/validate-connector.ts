import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { ConnectorsTable } from '../connectors/connectors-table.ts'
import { UnitFunction } from '../unit.ts'
import type { OutboundMail } from './outbound-mail.ts'

export interface ValidateConnectorProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly connectors: ConnectorsTable
}

/** Validates an outbound connector for an administrator, from where mail really leaves. */
export class ValidateConnector extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, { config, outboundMail, connectors }: ValidateConnectorProps) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'validate-connector',
      description: 'Validates an outbound connector step by step',
      config,
      limits: config.functions.validate,
      ...outboundMail.placement,
    })
    connectors.grantValidation(this.handler)
    outboundMail.grantSend(this.handler)
  }
}

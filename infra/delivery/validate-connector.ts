import { Construct } from 'constructs'
import { type Config, setSignInEnvironment } from '../config.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import type { OutboundMail } from './outbound-mail.ts'

export interface ValidateConnectorProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly connectors: ConnectorsTable
  readonly transport: TransportTable
}

/** Validates outbound connectors, and checks the DNS of accepted domains, from the network that deliveries use. */
export class ValidateConnector extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: ValidateConnectorProps) {
    super(scope, id)
    const { config, outboundMail } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'validate-connector',
      description: 'Validates outbound connectors, and checks the DNS of accepted domains',
      config,
      limits: config.functions.validate,
      ...outboundMail.placement,
    })
    props.connectors.grantValidation(this.handler)
    props.transport.grantPolicies(this.handler)
    outboundMail.grantSend(this.handler)
    setSignInEnvironment(config, this.handler)
  }
}

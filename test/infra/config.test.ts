import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { exampleSettings, notifiesAdministrators, readConfig } from '../../infra/config.ts'
import { existingVpc } from '../support/synthesis.ts'

const shipped = JSON.parse(readFileSync('cdk.json', 'utf8')).context.mailflow
const real = {
  hostname: 'mx.ours.example',
  tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:210987654321:secret:mail/tls-AbC123',
}
const otherKey = 'arn:aws:kms:us-east-1:210987654321:key/0c1d2e3f-0000-4000-8000-000000000000'
const otherCertificate = 'arn:aws:acm:us-east-1:210987654321:certificate/0a1b2c3d-0000-4000-8000-000000000000'
const roles = { claim: 'groups', mapping: { mail: 'administer' } }

test('the shipped cdk.json is valid, and its example values are recognised', () => {
  assert.deepEqual(exampleSettings(readConfig(shipped)), ['hostname', 'tlsSecretArn'])
  assert.deepEqual(exampleSettings(readConfig(real)), [])
})

test('only hostname and tlsSecretArn are required; the other settings have safe defaults', () => {
  const config = readConfig(real)
  assert.equal(config.defaultRoute, 'Ses')
  assert.equal(config.deliverInVpc, false)
  assert.deepEqual(config.privateMxNetworks, [])
  assert.deepEqual(config.ingress, {
    cpu: 256,
    minimumTasks: 2,
    maximumTasks: 20,
    maximumMessageSize: 36_700_160,
    maximumRecipients: 500,
    maximumConnections: 1000,
    maximumConnectionsPerAddress: 200,
    maximumConnectionRatePerAddress: 900,
    maximumMessagesPerMinutePerAddress: 0,
    bareNewlines: 'Refuse',
    envelopeSyntax: 'Lenient',
    maximumLineLength: 65_536,
    maximumHeaderSize: 262_144,
    maximumErrors: 20,
    proxyProtocol: false,
    ipv6: false,
    drainSeconds: 100,
  })
  assert.deepEqual(config.functions.deliver, {
    timeoutSeconds: 300,
    concurrency: 50,
    unprovenConcurrency: 20,
    lowPriorityConcurrency: 10,
    concurrencyPerDestination: 100,
    workersPerDestination: 20,
    batchingWindowSeconds: 1,
    smtpTimeouts: { connect: 30, greeting: 60, command: 60, data: 120 },
  })
})

const receivers: [string, Record<string, unknown>, boolean][] = [
  ['no receiver', {}, false],
  ['a mail address', { alarmEmail: 'operator@example.net' }, true],
  ['a topic', { alarmsTopicArn: 'arn:aws:sns:eu-west-1:210987654321:operations' }, true],
]

for (const [what, settings, notifies] of receivers)
  test(`settings with ${what} ${notifies ? 'have' : 'lack'} a receiver of alarms`, () => {
    assert.equal(notifiesAdministrators(readConfig({ ...real, ...settings })), notifies)
  })

test('every permitted cpu has memory for the default of maximumConnections', () => {
  for (const cpu of [256, 512, 1024]) assert.equal(readConfig({ ...real, ingress: { cpu } }).ingress.cpu, cpu)
})

const faults: [string, Record<string, unknown>, RegExp][] = [
  ['a missing host name', { hostname: undefined }, /mailflow\.hostname: /],
  ['a host name of one label', { hostname: 'mail' }, /mailflow\.hostname: must be a fully qualified/],
  [
    "a secret's name instead of its ARN",
    { tlsSecretArn: 'mail/tls' },
    /mailflow\.tlsSecretArn: must be the complete ARN/,
  ],
  ['an unknown default route', { defaultRoute: 'Smtp' }, /mailflow\.defaultRoute: .*"Ses"\|"Mx"/],
  ['a misspelt setting', { defaultRout: 'Ses' }, /mailflow: .*"defaultRout"/],
  [
    'a maximumTasks below minimumTasks',
    { ingress: { minimumTasks: 4, maximumTasks: 2 } },
    /mailflow\.ingress\.minimumTasks: must not exceed/,
  ],
  [
    'a drain time longer than the stop timeout',
    { ingress: { drainSeconds: 120 } },
    /mailflow\.ingress\.drainSeconds: /,
  ],
  [
    'a maximumConnections above what fits into the memory of a task',
    { ingress: { maximumConnections: 5000 } },
    /mailflow\.ingress\.maximumConnections: 1024 MiB of memory are not enough for 5000 sessions; a larger cpu/,
  ],
  [
    'a cpu of more than one processor',
    { ingress: { cpu: 2048 } },
    /mailflow\.ingress\.cpu: must be 256, 512 or 1024: .* more mail means more tasks \(maximumTasks\)/,
  ],
  ['a postmaster without a domain', { postmaster: 'postmaster' }, /mailflow\.postmaster: /],
  [
    'a postmaster at the host name',
    { postmaster: 'Postmaster@MX.Ours.Example' },
    /mailflow\.postmaster: must not be at hostname: its mail would return to mailflow/,
  ],
  [
    'the name of a topic instead of its ARN',
    { alarmsTopicArn: 'operations' },
    /mailflow\.alarmsTopicArn: must be/,
  ],
  [
    "an alias instead of a key's ARN",
    { encryptionKeyArn: 'arn:aws:kms:eu-west-1:123456789012:alias/mail' },
    /mailflow\.encryptionKeyArn: must be the ARN of a KMS key that is not a multi-Region key/,
  ],
  [
    'a multi-Region key, which cannot encrypt the disks of tasks',
    { encryptionKeyArn: `arn:aws:kms:eu-west-1:123456789012:key/mrk-${'0'.repeat(32)}` },
    /mailflow\.encryptionKeyArn: must be .* not a multi-Region key/,
  ],
  ...[
    ['an empty value', { team: '' }],
    ['a comma in its value', { team: 'mail, web' }],
  ].map(([what, tags]): [string, Record<string, unknown>, RegExp] => [
    `a tag with ${what}`,
    { tags },
    /mailflow\.tags\.team: must be 1 to 256 letters, digits, spaces and _\.:\/=\+-@/,
  ]),
  ...['', 'aws:team', 'team,unit', 't'.repeat(129)].map((key): [string, Record<string, unknown>, RegExp] => [
    `a tag with the key "${key}"`,
    { tags: { [key]: 'mail' } },
    /mailflow\.tags: must have keys of 1 to 128 letters, .*, which do not begin with aws:/,
  ]),
  [
    'more tags than a subnet can have',
    { tags: Object.fromEntries(Array.from({ length: 48 }, (_, index) => [`tag${index}`, 'mail'])) },
    /mailflow\.tags: must be at most 47: AWS permits 50 for a resource, and a subnet has three of its own/,
  ],
  ...(
    [
      ['tlsSecretKeyArn', { tlsSecretKeyArn: otherKey }],
      ['encryptionKeyArn', { encryptionKeyArn: otherKey }],
      ['alarmsTopicArn', { alarmsTopicArn: 'arn:aws:sns:us-east-1:210987654321:operations' }],
      ['api.certificateArn', { api: { domainName: 'api.ours.example', certificateArn: otherCertificate } }],
      [
        'mtaSts.certificateArn',
        { mtaSts: { mode: 'testing', domains: ['ours.example'], certificateArn: otherCertificate } },
      ],
      [
        'tlsReporting.dkim.secretArn',
        {
          tlsReporting: {
            dkim: {
              domain: 'ours.example',
              selector: 'tls',
              secretArn: 'arn:aws:secretsmanager:us-east-1:210987654321:secret:mail/dkim-AbC123',
            },
          },
        },
      ],
      [
        'sesIdentityArns.0',
        { sesIdentityArns: ['arn:aws:ses:us-east-1:210987654321:identity/ours.example'] },
      ],
      [
        'network.existingVpc.availabilityZones',
        { network: { existingVpc: { ...existingVpc, availabilityZones: ['us-east-1a', 'us-east-1b'] } } },
      ],
    ] as const
  ).map(([name, settings]): [string, Record<string, unknown>, RegExp] => [
    `${name} in another Region`,
    settings,
    new RegExp(`mailflow\\.${name}: is in us-east-1, and tlsSecretArn in eu-west-1: both must be in`),
  ]),
  ['a line limit below 1000', { ingress: { maximumLineLength: 998 } }, /ingress\.maximumLineLength: /],
  [
    'an unknown value of envelopeSyntax',
    { ingress: { envelopeSyntax: 'Loose' } },
    /ingress\.envelopeSyntax: /,
  ],
  ['an unknown value of bareNewlines', { ingress: { bareNewlines: 'Keep' } }, /ingress\.bareNewlines: /],
  [
    'a content retention below the queue retention',
    { contentRetentionDays: 7 },
    /mailflow\.contentRetentionDays: /,
  ],
  [
    'the unknown setting functions.deliver.timeoutSeconds',
    { functions: { deliver: { timeoutSeconds: 301 } } },
    /mailflow\.functions\.deliver: Unrecognized key: "timeoutSeconds"/,
  ],
  [
    'a timeout of connector-api, which could end a request before its search',
    { functions: { api: { timeoutSeconds: 5 } } },
    /mailflow\.functions\.api: Unrecognized key: "timeoutSeconds"/,
  ],
  [
    'an issuer over plain HTTP',
    { jwt: { issuer: 'http://login.example/', audience: ['a'], roles } },
    /mailflow\.jwt\.issuer: /,
  ],
  [
    'a sign-in without roles',
    { jwt: { issuer: 'https://login.example/', audience: ['a'] } },
    /mailflow\.jwt\.roles: /,
  ],
  [
    'a sign-in that gives no role',
    { jwt: { issuer: 'https://login.example/', audience: ['a'], roles: { ...roles, mapping: {} } } },
    /mailflow\.jwt\.roles\.mapping: must map a value of the claim to a role: without one, no person has a role$/,
  ],
  [
    'an unknown role',
    {
      jwt: {
        issuer: 'https://login.example/',
        audience: ['a'],
        roles: { ...roles, mapping: { a: 'admin' } },
      },
    },
    /mailflow\.jwt\.roles\.mapping\.a: /,
  ],
  [
    'a value of the claim with an empty list of roles',
    { jwt: { issuer: 'https://login.example/', audience: ['a'], roles: { ...roles, mapping: { a: [] } } } },
    /mailflow\.jwt\.roles\.mapping\.a: /,
  ],
  [
    'roles that do not fit into the environment of a function',
    {
      jwt: {
        issuer: 'https://login.example/',
        audience: ['a'],
        roles: { ...roles, mapping: { ['a'.repeat(2048)]: 'read' } },
      },
    },
    /mailflow\.jwt\.roles: must not exceed 2048 octets as JSON$/,
  ],
  [
    'a domain name of the API without a certificate',
    { api: { domainName: 'api.ours.example' } },
    /mailflow\.api\.certificateArn: /,
  ],
  [
    'a URL as the domain name of the API',
    { api: { domainName: 'https://api.ours.example' } },
    /mailflow\.api\.domainName: must be a domain name in lower case/,
  ],
  ['an invalid CIDR', { privateMxNetworks: ['10.0.0.1/99'] }, /mailflow\.privateMxNetworks\.0: /],
  ...['10.40.0.0/15', '10.40.0.0/23', '10.40.1.0/16', '10.40.0.0', '2001:db8::/56', 'large'].map(
    (cidr): [string, Record<string, unknown>, RegExp] => [
      `the VPC range ${cidr}`,
      { network: { cidr } },
      /context: mailflow\.network\.cidr: must be an IPv4 network from \/16 to \/22, by its first address, such as [^ ]+$/,
    ],
  ),
  [
    'a VPC range beside an existing VPC',
    { network: { cidr: '10.40.0.0/16', existingVpc } },
    /mailflow\.network\.cidr: must not be set with existingVpc/,
  ],
  [
    'an existing VPC with one zone',
    { network: { existingVpc: { ...existingVpc, availabilityZones: ['eu-west-1a'] } } },
    /mailflow\.network\.existingVpc\.availabilityZones: /,
  ],
  [
    'an existing VPC by the name of a zone id',
    { network: { existingVpc: { ...existingVpc, availabilityZones: ['euw1-az1', 'euw1-az2'] } } },
    /mailflow\.network\.existingVpc\.availabilityZones\.0: must be a name such as eu-west-1a/,
  ],
  [
    'an existing VPC with a subnet for one of two zones',
    { network: { existingVpc: { ...existingVpc, privateSubnetIds: ['subnet-2a1b2c3d'] } } },
    /mailflow\.network\.existingVpc\.privateSubnetIds: must have one entry for each of the 2 availabilityZones/,
  ],
  [
    'an existing VPC with one subnet twice',
    {
      network: { existingVpc: { ...existingVpc, publicSubnetIds: ['subnet-2a1b2c3d', 'subnet-2a1b2c3d'] } },
    },
    /mailflow\.network\.existingVpc\.publicSubnetIds: must name each subnet once/,
  ],
  [
    'the name of an existing VPC',
    { network: { existingVpc: { ...existingVpc, vpcId: 'production' } } },
    /mailflow\.network\.existingVpc\.vpcId: must be an id such as vpc-0a1b2c3d/,
  ],
  [
    'interface endpoints in an existing VPC',
    { network: { existingVpc }, interfaceEndpoints: true },
    /mailflow\.interfaceEndpoints: must not be set with network\.existingVpc: its owner creates the endpoints/,
  ],
  [
    'the PROXY protocol in an existing VPC whose networks are not known',
    {
      network: { existingVpc: { ...existingVpc, publicSubnetCidrs: undefined } },
      ingress: { proxyProtocol: true },
    },
    /mailflow\.network\.existingVpc\.publicSubnetCidrs: must be set with ingress\.proxyProtocol/,
  ],
  [
    'the name of a zone as the zone of the TLSA records',
    { tlsa: { hostedZoneId: 'ours.example' } },
    /mailflow\.tlsa\.hostedZoneId: must be the id of a hosted zone/,
  ],
  [
    'a host name as name server',
    { dnsServers: ['dns.example'] },
    /context: mailflow\.dnsServers\.0: "dns\.example" is not [^"]*$/,
  ],
  [
    'a name server over TLS without the name in its certificate',
    { dnsServers: ['tls://192.0.2.1'] },
    /mailflow\.dnsServers\.0: "tls:\/\/192\.0\.2\.1" is not .*: the name in its certificate is required/,
  ],
  [
    'a name server over TLS beside one in the clear',
    { dnsServers: ['192.0.2.2', 'tls://192.0.2.1#dns.example'] },
    /context: mailflow\.dnsServers: "tls:\/\/192\.0\.2\.1#dns\.example" uses TLS and "192\.0\.2\.2" does not/,
  ],
]

for (const [what, change, message] of faults)
  test(`${what} is refused with an error that names the setting`, () => {
    assert.throws(() => readConfig({ ...real, ...change }), message)
  })

test('the certificate of CloudFront is in us-east-1, whatever the Region of the stack', () => {
  const mtaSts = {
    mode: 'testing',
    domains: ['ours.example'],
    certificateArn: otherCertificate,
    cloudFront: true,
  }
  assert.doesNotThrow(() => readConfig({ ...real, mtaSts }))
})

test('several faults of the settings are reported together, in one line', () => {
  assert.throws(
    () => readConfig({ hostname: 'mail', tlsSecretArn: 'x' }),
    (error: Error) => /hostname.*; .*tlsSecretArn/.test(error.message) && !error.message.includes('\n'),
  )
})

test('an invalid setting ends infra/app.ts with one line on stderr and exit code 1', () => {
  const mailflow = { ...real, defaultRoute: 'Smtp' }
  const run = spawnSync(process.execPath, ['infra/app.ts'], {
    encoding: 'utf8',
    env: { ...process.env, CDK_CONTEXT_JSON: JSON.stringify({ mailflow }) },
  })
  assert.equal(run.status, 1)
  assert.match(run.stderr, /^cdk\.json context: mailflow\.defaultRoute: [^\n]+\n$/)
})

test('settings that are not an object are refused with an error that says so', () => {
  assert.throws(() => readConfig('hostname=mail'), /cdk\.json context: mailflow: .*expected object/)
})

/** An OpenID Connect provider on loopback with one client, whose users sign in without a password. */
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import Provider, { type Context } from 'oidc-provider'
import { listen } from './listen.ts'

export interface IdentityProvider {
  readonly issuer: string
  /** The key that signs the provider's tokens. */
  readonly key: JWK & { kid: string }
  /** Signs in by the authorization code flow with PKCE, and returns the access token. */
  signIn(user: string, scope?: string): Promise<string>
  /** The user who signs in next in a browser, which cannot name one. */
  browserUser: string
  /** Seconds for which the next access tokens are valid. */
  tokenSeconds: number
  /** How often a person has authenticated, which a session of the provider replaces. */
  readonly logins: number
  /** Whether it obeys the parameters `max_age` and `prompt`. */
  obeysMaxAge: boolean
  /** Signs any token with the provider's key. The header's fields replace the default ones. */
  sign(payload: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  stop(): Promise<void>
}

export const audience = 'https://mailflow.example/api'
export const scope = 'mailflow'
export const clientId = 'console'
const redirectUri = 'https://console.example/callback'

/**
 * @param tls the certificate of 127.0.0.1
 * @param groups the groups of each user; a user without an entry gets a token without the claim
 */
export async function startIdentityProvider(
  tls: SecureContextOptions,
  groups: Readonly<Record<string, unknown>>,
): Promise<IdentityProvider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'signing', alg: 'RS256', use: 'sig' }
  const server = createServer(tls)
  const { port, stop } = await listen(server)
  const issuer = `https://127.0.0.1:${port}`
  const state = { browserUser: '', tokenSeconds: 600, logins: 0, obeysMaxAge: true }
  const provider = createProvider(issuer, key, groups, state)
  const respond = provider.callback()
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      state.logins += 1
      void finishLogin(provider, request, response, state.browserUser)
    } else {
      if (!state.obeysMaxAge) request.url = request.url?.replace(/&(max_age|prompt)=\w+/g, '') ?? ''
      respond(request, response)
    }
  })
  return Object.assign(state, {
    issuer,
    key,
    signIn: (user: string, scopes = `openid ${scope}`) => signIn(issuer, user, scopes),
    sign: (payload: Record<string, unknown>, header?: Record<string, unknown>) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header }).sign(privateKey),
    stop,
  })
}

function createProvider(
  issuer: string,
  key: JWK,
  groups: Readonly<Record<string, unknown>>,
  state: { readonly tokenSeconds: number },
): Provider {
  const provider: Provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'none',
        require_auth_time: true,
      },
    ],
    jwks: { keys: [key] },
    cookies: { keys: ['test'] },
    findAccount: (_: Context, user: string) => ({ accountId: user, claims: () => ({ sub: user }) }),
    extraTokenClaims: (_: Context, { accountId = '' }: { accountId?: string }) =>
      accountId in groups ? { groups: groups[accountId] } : {},
    interactions: { url: (_: Context, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ audience, scope, accessTokenFormat: 'jwt' }),
      },
    },
    // A page of any origin may exchange its code.
    clientBasedCORS: () => true,
    ttl: {
      AccessToken: () => state.tokenSeconds,
      AuthorizationCode: 60,
      Grant: 600,
      IdToken: 600,
      Interaction: 60,
      Session: 600,
    },
    loadExistingGrant: async ({ oidc: { client, session } }: Context) => {
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid')
      grant.addResourceScope(audience, scope)
      await grant.save()
      return grant
    },
  })
  // The port of a console is known only after the provider has started.
  const { prototype } = (provider as unknown as { Client: { prototype: Record<string, unknown> } }).Client
  prototype.redirectUriAllowed = () => true
  prototype.postLogoutRedirectUriAllowed = () => true
  return provider
}

/** The user of the parameter login_hint signs in. */
async function finishLogin(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  browserUser: string,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response)
  await provider.interactionFinished(request, response, {
    login: { accountId: params.login_hint ?? browserUser },
  })
}

async function signIn(issuer: string, user: string, scopes: string): Promise<string> {
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: scopes,
    login_hint: user,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const callback = await followToCallback(`${issuer}/auth?${query}`)
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code') ?? '',
      code_verifier: verifier,
    }),
  })
  const { access_token } = (await response.json()) as { access_token?: string }
  if (access_token === undefined) throw new Error(`no token: ${callback} ${response.status}`)
  return access_token
}

/** Follows redirections with a browser's cookies, up to the client's redirect URI. */
async function followToCallback(url: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let next = new URL(url)
  for (let steps = 0; !next.href.startsWith(redirectUri); steps++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(next, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null || steps > 9)
      throw new Error(`${next}: ${response.status} ${await response.text()}`)
    next = new URL(location, next)
  }
  return next
}

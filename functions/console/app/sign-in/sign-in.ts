/**
 * Signs a person in at the organisation's identity provider: authorization code with PKCE (RFC 7636, OpenID Connect Core
 * 1.0 §3.1). Tokens stay in this page's memory: a stolen browser profile has none. So each new page redirects to the
 * provider, which answers at once while its own session lasts.
 */
import * as oauth from 'oauth4webapi'
import { consolePath } from '../../../../shared/contract/console.ts'
import type { ConsoleConfig } from '../console-config.ts'

export interface Session {
  /** The name that the provider gives the person; null if it gives none. */
  name: string | null
  /** Returns the access token, renewed if it is about to end. @throws SessionEnded */
  token(): Promise<string>
  /** Ends the session in all pages of this browser, and at the provider. */
  signOut(): Promise<void>
}

/** The tokens have ended, and the provider gives no others without the person. */
export class SessionEnded extends Error {}

type SignIn = NonNullable<ConsoleConfig['signIn']>

interface Pending {
  state: string
  nonce: string
  verifier: string
  /** Path and query of the view that the person wanted. */
  view: string
}

const pendingKey = 'mailflow-sign-in'
const signOutChannel = 'mailflow-sign-out'
/** A token is renewed this long before its end. */
const renewalMs = 60_000

const redirectUri = (): string => `${location.origin}${consolePath}`

/**
 * @returns the session; null when the page leaves for the provider
 * @throws Error with the provider's reason
 */
export async function signIn(settings: SignIn): Promise<Session | null> {
  const server = await discover(settings.issuer)
  const client: oauth.Client = { client_id: settings.clientId }
  const pending = takePending()
  const parameters = new URLSearchParams(location.search)
  if (pending === null || !(parameters.has('code') || parameters.has('error'))) {
    await leaveForProvider(server, settings, `${location.pathname}${location.search}`)
    return null
  }
  history.replaceState(null, '', pending.view)
  const callback = oauth.validateAuthResponse(server, client, parameters, pending.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    callback,
    redirectUri(),
    pending.verifier,
    requestOptions(settings.issuer),
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  })
  return createSession(server, client, settings, tokens)
}

/** Leaves for the provider, which comes back to the view. */
export async function signInAgain(settings: SignIn): Promise<void> {
  await leaveForProvider(await discover(settings.issuer), settings, `${location.pathname}${location.search}`)
}

async function discover(issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, requestOptions(issuer)))
}

/** The issuer has HTTPS, except in tests on this machine. */
const requestOptions = (issuer: string) => ({
  [oauth.allowInsecureRequests]: new URL(issuer).hostname === '127.0.0.1',
})

async function leaveForProvider(
  server: oauth.AuthorizationServer,
  { clientId, scopes }: SignIn,
  view: string,
): Promise<void> {
  if (server.authorization_endpoint === undefined)
    throw new Error('The identity provider has no authorization endpoint.')
  const pending: Pending = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    view,
  }
  sessionStorage.setItem(pendingKey, JSON.stringify(pending))
  const url = new URL(server.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: [...new Set(['openid', ...scopes])].join(' '),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
  }).toString()
  location.assign(url)
}

/** A pending sign-in is used once. */
function takePending(): Pending | null {
  const stored = sessionStorage.getItem(pendingKey)
  sessionStorage.removeItem(pendingKey)
  return stored === null ? null : (JSON.parse(stored) as Pending)
}

function createSession(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  { issuer }: SignIn,
  first: oauth.TokenEndpointResponse,
): Session {
  const claims = oauth.getValidatedIdTokenClaims(first)
  let tokens: Tokens | null = tokensOf(first)
  let renewal: Promise<Tokens> | null = null
  const channel = new BroadcastChannel(signOutChannel)
  channel.addEventListener('message', () => {
    tokens = null
    location.assign(signedOutUrl())
  })
  const renew = async (refreshToken: string): Promise<Tokens> => {
    try {
      const response = await oauth.refreshTokenGrantRequest(
        server,
        client,
        oauth.None(),
        refreshToken,
        requestOptions(issuer),
      )
      const renewed = tokensOf(await oauth.processRefreshTokenResponse(server, client, response))
      return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken }
    } catch {
      throw new SessionEnded('Your session has ended. Sign in again.')
    }
  }
  return {
    name: nameIn(claims),
    async token() {
      if (tokens === null) throw new SessionEnded('You have signed out.')
      if (Date.now() < tokens.until - renewalMs) return tokens.accessToken
      if (tokens.refreshToken === null) {
        if (Date.now() < tokens.until) return tokens.accessToken
        throw new SessionEnded('Your session has ended. Sign in again.')
      }
      renewal ??= renew(tokens.refreshToken).finally(() => {
        renewal = null
      })
      tokens = await renewal
      return tokens.accessToken
    },
    async signOut() {
      const idToken = tokens?.idToken
      tokens = null
      channel.postMessage('')
      const end = server.end_session_endpoint
      if (end === undefined) return location.assign(signedOutUrl())
      const url = new URL(end)
      url.search = new URLSearchParams({
        client_id: client.client_id,
        post_logout_redirect_uri: redirectUri(),
        ...(idToken && { id_token_hint: idToken }),
      }).toString()
      location.assign(url)
    },
  }
}

export const signedOutPath = `${consolePath}/signed-out`
const signedOutUrl = (): string => `${location.origin}${signedOutPath}`

interface Tokens {
  accessToken: string
  refreshToken: string | null
  idToken: string | null
  /** Milliseconds since the epoch. */
  until: number
}

const tokensOf = (response: oauth.TokenEndpointResponse): Tokens => ({
  accessToken: response.access_token,
  refreshToken: response.refresh_token ?? null,
  idToken: response.id_token ?? null,
  until: Date.now() + (response.expires_in ?? defaultSeconds) * 1000,
})

/** A provider need not say how long its token lasts. */
const defaultSeconds = 300

function nameIn(claims: oauth.IDToken | undefined): string | null {
  const name = claims?.name ?? claims?.preferred_username ?? claims?.email ?? claims?.sub
  return typeof name === 'string' ? name : null
}

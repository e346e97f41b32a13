// Package smart says who asks: the authorization server of a member, by SMART App Launch 2.2, SMART Backend Services and OpenID Connect.
//
// It promises that a token says no more than the client is registered for, than the person approved, and than the request asked for; that
// codes, assertions and refresh tokens are good once, also over a restart; that whoever steals a refresh token that was used ends the whole
// line of them; and that what was revoked is good no more when the answer says so. People sign in at the hospital's own OpenID provider: no
// password comes here.
//
// It refuses clients that are not registered, redirects that are not theirs to the letter, authorization without PKCE (S256), assertions
// that are not signed with RS384 or ES384 by a registered key, secrets that it didn't make, and purposes of use that a client is not registered for. Nothing that it
// keeps is legible without the member's keyring, and no health data is in an address that it makes.
//
//	POST /auth/token                                     →  200 OK
//	grant_type=client_credentials&scope=system/*.rs         Cache-Control: no-store
//	&client_assertion_type=urn:ietf:params:oauth:…
//	&client_assertion=eyJhbGciOiJFUzM4NCIs…                 {"access_token":"eyJhbGciOiJFZERTQSIs…","token_type":"bearer",
//	                                                         "expires_in":300,"scope":"system/*.rs"}
//
// See spec/smart.md.
package smart

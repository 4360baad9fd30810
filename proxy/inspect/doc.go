// Package inspect has what terminating TLS in the middle takes: a certificate
// authority of one's own, leaf certificates, a look at a ClientHello that
// leaves the connection as it was, and a memory of where inspection does not
// work.
//
// [Create] makes an [Authority] and [Load] reads one; [Authority.Terminate]
// ends a client's TLS with a certificate for one host. [ReadHello] says
// whether a client speaks TLS at all. [Rules] say which hosts are inspected,
// a [Memory] which of them it does not work for. [HSTS] keeps what origins
// say about https, for all clients alike.
package inspect

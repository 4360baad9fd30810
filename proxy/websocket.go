package proxy

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"guise/filters"
)

// webSocketGUID is what makes an answer one to a WebSocket's key (RFC 6455 §1.3).
const webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// webSocketAccept is the answer to a key (RFC 6455 §4.2.2).
func webSocketAccept(key string) string {
	digest := sha1.Sum([]byte(key + webSocketGUID))
	return base64.StdEncoding.EncodeToString(digest[:])
}

// handshakeKeys are the two keys of one handshake: its answer alone depends on them, so
// that the origin need not have 16 bytes of the client's choosing.
type handshakeKeys struct {
	client string // the client's; "" over HTTP/2, which has none
	own    string // what the origin gets
}

// keySecret makes keys that nobody can tell the client's from, and is this process's own.
var keySecret = func() (secret [sha256.Size]byte) {
	rand.Read(secret[:])
	return secret
}()

// changeKey gives the handshake r a key of the proxy's own, as random as the client's, and the
// same for clients whose requests are the same.
func changeKey(r *http.Request) *handshakeKeys {
	k := &handshakeKeys{client: r.Header.Get("Sec-Websocket-Key")}
	mac := hmac.New(sha256.New, keySecret[:])
	io.WriteString(mac, cmp.Or(k.client, rand.Text())+" "+r.URL.Host)
	k.own = base64.StdEncoding.EncodeToString(mac.Sum(nil)[:16])
	r.Header["Sec-Websocket-Key"] = []string{k.own}
	return k
}

// answeredBy tells whether resp is an answer to the key that was sent.
func (k *handshakeKeys) answeredBy(resp *http.Response) bool {
	return resp.StatusCode == http.StatusSwitchingProtocols && resp.Header.Get("Sec-Websocket-Accept") == webSocketAccept(k.own)
}

// rekey gives the origin a key of the proxy's own. A handshake without one is for the
// origin to refuse.
func rekey(e *exchange, r *http.Request) (*http.Request, *failure) {
	_, extended := e.ResponseWriter.(*webSocketAnswer)
	if e.message.Visit.Kind == filters.WebSocket && (extended || r.Header["Sec-Websocket-Key"] != nil) {
		e.keys = changeKey(r)
	}
	return r, nil
}

// refusesWebSocket reports whether resp answers a WebSocket over HTTP/2 as if there
// were one, and there is none. Over HTTP/1.1 the client finds that out itself.
func (e *exchange) refusesWebSocket(resp *http.Response) bool {
	_, extended := e.ResponseWriter.(*webSocketAnswer)
	return extended && resp.StatusCode < 300 && !e.keys.answeredBy(resp)
}

// answerClient makes resp, which answers the key that was sent, answer the client's.
func (k *handshakeKeys) answerClient(resp *http.Response) {
	if k != nil && k.client != "" && k.answeredBy(resp) {
		resp.Header["Sec-Websocket-Accept"] = []string{webSocketAccept(k.client)}
	}
}

// fromExtendedConnect makes a WebSocket over HTTP/2 (RFC 8441) the upgrade
// that origins know, and w a writer that answers as HTTP/2 wants it. It
// returns an answer for other protocols.
func fromExtendedConnect(w http.ResponseWriter, r *http.Request, protocol string) (http.ResponseWriter, *http.Request, *failure) {
	if !strings.EqualFold(protocol, "websocket") {
		return w, r, &unknownProtocol
	}
	upgrade := *r
	upgrade.Method = http.MethodGet
	upgrade.Header = r.Header.Clone()
	delete(upgrade.Header, ":protocol")
	upgrade.Header["Upgrade"] = []string{"websocket"}
	upgrade.Header["Connection"] = []string{"Upgrade"}
	upgrade.Body, upgrade.ContentLength = http.NoBody, 0 // what follows is for the tunnel
	return &webSocketAnswer{w}, &upgrade, nil
}

// A webSocketAnswer turns the answer to an upgrade into one to an extended
// CONNECT, which 200 accepts (RFC 8441 §5).
type webSocketAnswer struct{ http.ResponseWriter }

// Unwrap is for [http.ResponseController].
func (w *webSocketAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *webSocketAnswer) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept"} {
			delete(w.Header(), name)
		}
		status = http.StatusOK
	}
	w.ResponseWriter.WriteHeader(status)
}

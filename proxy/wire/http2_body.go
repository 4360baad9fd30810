package wire

import "net/http"

// An http2Body is the body of a request.
type http2Body struct{ st *http2Stream }

func (b http2Body) Read(p []byte) (int, error) {
	h := b.st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if b.st.awaited {
		b.st.w.interim(http.StatusContinue)
		b.st.awaited = false
	}
	return b.st.read(p, h.times.Body)
}

func (b http2Body) Close() error {
	b.st.h.mu.Lock()
	defer b.st.h.mu.Unlock()
	b.st.drop()
	b.st.cond.Broadcast()
	return nil
}

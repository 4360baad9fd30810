package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A framedOrigin is an https origin that answers with the frames that a test
// wants, right or wrong.
type framedOrigin struct {
	address string

	mu       sync.Mutex
	heads    []string // of the requests, a field a line in the order they came
	settings []http2.Setting
	widened  uint32          // the connection's window, before the first request
	faults   []http2.ErrCode // that ended connections, or streams

	unwidened atomic.Bool // of uploads, no more comes than the first window lets
	priority  http2.PriorityParam
}

// firstWindow is what comes of a request's body before a framedOrigin wants more, as
// much as with nginx.
const firstWindow = 1 << 16

// A framedStream is one request to a framedOrigin.
type framedStream struct {
	*http2.Framer
	conn    *tls.Conn
	id      uint32
	mu      *sync.Mutex // held while a frame is written
	block   *bytes.Buffer
	encoder *hpack.Encoder
	body    chan string // of the request, a frame each; closed at its end, or the connection's
	trailer chan string // of the request, a field a line
	origin  *framedOrigin
}

// head sends a head of "name: value" lines.
func (s *framedStream) head(end bool, lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block.Reset()
	for _, line := range lines {
		i := strings.Index(line[1:], ": ") + 1
		s.encoder.WriteField(hpack.HeaderField{Name: line[:i], Value: line[i+2:]})
	}
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: end})
}

func (s *framedStream) data(end bool, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.WriteData(s.id, end, []byte(text))
}

// upload returns the request's body once all of it is there, or size bytes.
func (s *framedStream) upload(size int) string {
	var all strings.Builder
	for piece := range s.body {
		if all.WriteString(piece); all.Len() >= size {
			break
		}
	}
	return all.String()
}

func (s *framedStream) reset(code http2.ErrCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.WriteRSTStream(s.id, code)
}

// long sends a head with a field of size bytes.
func (s *framedStream) long(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block.Reset()
	s.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	s.encoder.WriteField(hpack.HeaderField{Name: "long", Value: strings.Repeat("a", size)})
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id})
	for s.block.Len() > 0 {
		piece := s.block.Next(16 << 10)
		s.WriteContinuation(s.id, s.block.Len() == 0, piece)
	}
}

// widen widens the window of the request's body, also by nothing, which is wrong.
func (s *framedStream) widen(by uint32) {
	s.frame(http2.FrameWindowUpdate, 0, s.id, string(binary.BigEndian.AppendUint32(nil, by)))
}

// frame sends any frame, as it is.
func (s *framedStream) frame(kind http2.FrameType, flags http2.Flags, stream uint32, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.WriteRawFrame(kind, flags, stream, []byte(payload))
}

func (s *framedStream) push() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.WritePushPromise(http2.PushPromiseParam{StreamID: s.id, PromiseID: 2, EndHeaders: true})
}

// goAway says that no request after last was looked at, and why, and closes.
func (s *framedStream) goAway(last uint32, why http2.ErrCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.WriteGoAway(last, why, nil)
	s.conn.Close()
}

// serveFramed runs an origin that calls answer for each request once its head
// is there.
func serveFramed(t *testing.T, answer func(s *framedStream)) *framedOrigin {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", siteTLS(t, "h2"))
	if err != nil {
		t.Fatal(err)
	}
	o := &framedOrigin{address: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			running.Go(func() { o.serve(conn.(*tls.Conn), answer) })
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(func() { listener.Close() })
	return o
}

func (o *framedOrigin) serve(conn *tls.Conn, answer func(*framedStream)) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	var mu sync.Mutex
	var block bytes.Buffer
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	encoder := hpack.NewEncoder(&block)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: firstWindow})
	framer.WriteWindowUpdate(0, 1<<20)
	var answers sync.WaitGroup
	defer answers.Wait()
	coming := make(map[uint32]*framedStream) // whose body has not ended
	ended := func(s *framedStream) {
		close(s.body)
		delete(coming, s.id)
	}
	defer func() {
		for _, s := range coming {
			ended(s)
		}
	}()
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return
		}
		mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				o.mu.Lock()
				f.ForeachSetting(func(s http2.Setting) error { o.settings = append(o.settings, s); return nil })
				o.mu.Unlock()
				framer.WriteSettingsAck()
			}
		case *http2.WindowUpdateFrame:
			o.mu.Lock()
			if f.StreamID == 0 && len(o.heads) == 0 {
				o.widened += f.Increment
			}
			o.mu.Unlock()
		case *http2.GoAwayFrame:
			o.mu.Lock()
			o.faults = append(o.faults, f.ErrCode)
			o.mu.Unlock()
		case *http2.PingFrame:
			if !f.IsAck() {
				framer.WritePing(true, f.Data)
			}
		case *http2.DataFrame:
			if n := uint32(len(f.Data())); n > 0 && !o.unwidened.Load() {
				framer.WriteWindowUpdate(0, n)
				framer.WriteWindowUpdate(f.StreamID, n)
			}
			if s := coming[f.StreamID]; s != nil {
				s.body <- string(f.Data())
				if f.StreamEnded() {
					ended(s)
				}
			}
		case *http2.MetaHeadersFrame:
			var head strings.Builder
			for _, field := range f.Fields {
				head.WriteString(field.Name + ": " + field.Value + "\n")
			}
			if s := coming[f.StreamID]; s != nil && f.PseudoValue("method") == "" {
				s.trailer <- head.String()
				ended(s)
				break
			}
			o.mu.Lock()
			o.heads = append(o.heads, head.String())
			o.priority = f.Priority
			o.mu.Unlock()
			s := &framedStream{framer, conn, f.StreamID, &mu, &block, encoder, make(chan string, 1<<10), make(chan string, 1), o}
			coming[s.id] = s
			if f.StreamEnded() {
				ended(s)
			}
			answers.Go(func() { answer(s) })
		}
		mu.Unlock()
	}
}

// saw returns the heads of the requests so far.
func (o *framedOrigin) saw() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.heads...)
}

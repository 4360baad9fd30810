package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"sync"
)

// Frame types (RFC 9113 §6).
const (
	frameData uint8 = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
	framePriorityUpdate uint8 = 0x10 // RFC 9218 §7.1
)

// Frame flags. Two meanings share the first bit.
const (
	flagEndStream  uint8 = 0x01
	flagAck        uint8 = 0x01
	flagEndHeaders uint8 = 0x04
	flagPadded     uint8 = 0x08
	flagPriority   uint8 = 0x20
)

// An http2Code is an error code (RFC 9113 §7).
type http2Code uint32

const (
	codeNone            http2Code = 0x0
	codeProtocol        http2Code = 0x1
	codeInternal        http2Code = 0x2
	codeFlowControl     http2Code = 0x3
	codeStreamClosed    http2Code = 0x5
	codeFrameSize       http2Code = 0x6
	codeRefused         http2Code = 0x7
	codeCancel          http2Code = 0x8
	codeCompression     http2Code = 0x9
	codeConnect         http2Code = 0xa
	codeEnhanceYourCalm http2Code = 0xb
	codeHTTP11Required  http2Code = 0xd
)

// Settings (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1).
const (
	settingHeaderTableSize   uint16 = 0x1
	settingEnablePush        uint16 = 0x2
	settingMaxStreams        uint16 = 0x3
	settingInitialWindow     uint16 = 0x4
	settingMaxFrame          uint16 = 0x5
	settingMaxHeaderList     uint16 = 0x6
	settingConnectProtocol   uint16 = 0x8
	settingNoRFC7540Priority uint16 = 0x9
)

// http2Preface is what a client sends first (RFC 9113 §3.4).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameHeaderLen = 9
	ownMaxFrame    = 16 << 10  // longest payload that we take, and send: the least that SETTINGS_MAX_FRAME_SIZE can be
	maxWindow      = 1<<31 - 1 // RFC 9113 §6.9.1
	maxStream      = 1<<31 - 1
	firstWindow    = 64<<10 - 1
	maxSettings    = 100 // in a frame: each may be about the windows of all streams (CVE-2020-11080)
)

// An http2Fault ends a connection, or one stream if stream is not 0
// (RFC 9113 §5.4).
type http2Fault struct {
	code   http2Code
	stream uint32
	during uint32 // the stream whose frame ended an origin's connection; 0 for none
	what   string // never holds a byte of the client's
}

func (f *http2Fault) Error() string { return "HTTP/2: " + f.what }

// protocol returns the fault as the [*ProtocolError] that HTTP/1.1 has for such.
func (f *http2Fault) protocol() error {
	if f.what == headTooLarge {
		return &ProtocolError{431, f.what}
	}
	return malformed(f.what)
}

func connFault(code http2Code, what string) error { return &http2Fault{code: code, what: what} }

func streamFault(stream uint32, code http2Code, what string) error {
	return &http2Fault{code: code, stream: stream, what: what}
}

// ofStream returns the fault in err if it ends one stream alone, else nil.
func ofStream(err error) *http2Fault {
	if fault, ok := errors.AsType[*http2Fault](err); ok && fault.stream != 0 {
		return fault
	}
	return nil
}

// A frameHead is what every frame starts with (RFC 9113 §4.1).
type frameHead struct {
	length int
	kind   uint8
	flags  uint8
	stream uint32
}

func (f frameHead) has(flag uint8) bool { return f.flags&flag != 0 }

func parseFrameHead(b []byte) frameHead {
	return frameHead{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   b[3],
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
	}
}

func appendFrameHead(b []byte, f frameHead) []byte {
	b = append(b, byte(f.length>>16), byte(f.length>>8), byte(f.length), f.kind, f.flags)
	return binary.BigEndian.AppendUint32(b, f.stream)
}

// A setting is one parameter of a SETTINGS frame.
type setting struct {
	name  uint16
	value uint32
}

func appendSettings(b []byte, settings ...setting) []byte {
	b = appendFrameHead(b, frameHead{length: 6 * len(settings), kind: frameSettings})
	for _, s := range settings {
		b = binary.BigEndian.AppendUint16(b, s.name)
		b = binary.BigEndian.AppendUint32(b, s.value)
	}
	return b
}

func appendReset(b []byte, stream uint32, code http2Code) []byte {
	b = appendFrameHead(b, frameHead{length: 4, kind: frameReset, stream: stream})
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

func appendGoAway(b []byte, last uint32, code http2Code) []byte {
	b = appendFrameHead(b, frameHead{length: 8, kind: frameGoAway})
	b = binary.BigEndian.AppendUint32(b, last)
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

func appendWindowUpdate(b []byte, stream uint32, n int) []byte {
	b = appendFrameHead(b, frameHead{length: 4, kind: frameWindowUpdate, stream: stream})
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// appendBlock appends a HEADERS frame with flags and block, or its beginning and as
// many CONTINUATION frames as it takes.
func appendBlock(b []byte, stream uint32, block []byte, flags uint8) []byte {
	f := frameHead{kind: frameHeaders, flags: flags, stream: stream}
	for {
		f.length = min(len(block), ownMaxFrame)
		if f.length == len(block) {
			f.flags |= flagEndHeaders
		}
		b = append(appendFrameHead(b, f), block[:f.length]...)
		if block = block[f.length:]; len(block) == 0 {
			return b
		}
		f = frameHead{kind: frameContinuation, stream: stream}
	}
}

// checkFrame checks a frame's head by the rules for its type: which stream it may
// name, and how long its payload is.
func checkFrame(f frameHead) error {
	if f.length > ownMaxFrame {
		return connFault(codeFrameSize, "frame longer than announced")
	}
	needsStream, fixed := false, -1
	switch f.kind {
	case frameData, frameHeaders, frameContinuation:
		needsStream = true
	case framePriority:
		needsStream = true
		if f.length != 5 && f.stream != 0 {
			return streamFault(f.stream, codeFrameSize, "PRIORITY of a wrong length")
		}
	case frameReset:
		needsStream, fixed = true, 4
	case frameWindowUpdate:
		fixed = 4
	case framePing:
		fixed = 8
	case frameSettings:
		if f.length%6 != 0 || f.has(flagAck) && f.length != 0 {
			return connFault(codeFrameSize, "SETTINGS of a wrong length")
		}
		if f.length > 6*maxSettings {
			return connFault(codeEnhanceYourCalm, "too many settings")
		}
	case framePriorityUpdate:
		if f.length < 4 {
			return connFault(codeFrameSize, "PRIORITY_UPDATE of a wrong length")
		}
	case frameGoAway:
		if f.length < 8 {
			return connFault(codeFrameSize, "GOAWAY of a wrong length")
		}
	case framePushPromise:
		return connFault(codeProtocol, "PUSH_PROMISE, which nobody may send here")
	default:
		return nil // unknown types are ignored (RFC 9113 §5.5)
	}
	switch {
	case needsStream && f.stream == 0:
		return connFault(codeProtocol, "frame without a stream")
	case !needsStream && f.kind != frameWindowUpdate && f.stream != 0:
		return connFault(codeProtocol, "connection's frame on a stream")
	case fixed >= 0 && f.length != fixed:
		return connFault(codeFrameSize, "frame of a wrong length")
	}
	return nil
}

// settingsIn returns the names and values in a SETTINGS frame's payload, in order.
func settingsIn(b []byte) iter.Seq2[uint16, uint32] {
	return func(yield func(uint16, uint32) bool) {
		for ; len(b) >= 6 && yield(binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])); b = b[6:] {
		}
	}
}

// checkSetting checks a setting's value as far as it is the same for either
// end (RFC 9113 §6.5.2).
func checkSetting(name uint16, value uint32) error {
	switch {
	case name == settingInitialWindow && value > maxWindow:
		return connFault(codeFlowControl, "window too large")
	case name == settingMaxFrame && (value < ownMaxFrame || value > 1<<24-1):
		return connFault(codeProtocol, "invalid frame size")
	}
	return nil
}

// regauge changes the window of a stream when the peer changes the initial size of all (RFC
// 9113 §6.9.2), and wakes those waiting if it grows.
func regauge(window *int64, by int64, waiting *sync.Cond) error {
	if *window += by; *window > maxWindow {
		return connFault(codeFlowControl, "window too large")
	}
	if by > 0 {
		waiting.Broadcast()
	}
	return nil
}

// widen adds n bytes to the window of a stream, or of the connection if stream is
// 0, in which we may send (RFC 9113 §6.9).
func widen(window *int64, n int64, stream uint32) error {
	if n == 0 {
		return streamFault(stream, codeProtocol, "empty WINDOW_UPDATE")
	}
	if *window += n; *window > maxWindow {
		return streamFault(stream, codeFlowControl, "window too large")
	}
	return nil
}

// readPadding reads the length of a frame's padding, and returns it with the
// length of what stands before it (RFC 9113 §6.1).
func readPadding(r io.ByteReader, f frameHead) (length, padding int, err error) {
	if !f.has(flagPadded) {
		return f.length, 0, nil
	}
	if f.length == 0 {
		return 0, 0, connFault(codeFrameSize, "padded frame without its length")
	}
	b, err := r.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	padding = int(b)
	if padding >= f.length {
		return 0, 0, connFault(codeProtocol, "more padding than frame")
	}
	return f.length - 1 - padding, padding, nil
}

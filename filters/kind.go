package filters

// A Kind is what a browser asks for. Kinds that browsers ask for with the
// same header are one.
type Kind uint8

// The kinds of requests. Unknown purposes count as Fetch: a script or an API
// client made them.
const (
	Fetch Kind = iota
	Document
	Frame
	Image
	Style
	Script
	Font
	Media // audio, video
	WebSocket
)

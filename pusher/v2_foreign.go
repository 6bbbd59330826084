package pusher

import "github.com/pushcheck/pushcheck/pusher/image"

// elsewhere gives the descriptor of a layer that lives at URLs of its own and that
// this era leaves there, as a daemon does that knows where a layer came from (P-043).
func (p *layerPush) elsewhere() (image.Descriptor, bool) {
	rules, blob := p.job.Era.Layers, p.layer.Blob
	if !rules.Foreign || rules.ForeignAllowed && p.job.allowForeign || blob == nil || len(blob.URLs) == 0 {
		return image.Descriptor{}, false
	}
	return *blob, true
}

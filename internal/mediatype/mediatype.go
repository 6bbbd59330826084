// Package mediatype names the media types of docker's own manifests and what they
// list; those of OCI are the image-spec's to name.
package mediatype

// Of docker's schema 1 (P-222, P-306), schema 2 and manifest lists (P-371).
const (
	Schema1       = "application/vnd.docker.distribution.manifest.v1+json" // unsigned, or of a registry that does not say
	Schema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	Schema2       = "application/vnd.docker.distribution.manifest.v2+json"
	List          = "application/vnd.docker.distribution.manifest.list.v2+json"

	// Manifest is how the names of all of these begin.
	Manifest = "application/vnd.docker.distribution.manifest."
)

// Of what schema 2 lists.
const (
	Config       = "application/vnd.docker.container.image.v1+json"
	Layer        = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	ForeignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" // that lives elsewhere

	// LayerPrefix is how the names of both kinds of layers begin.
	LayerPrefix = "application/vnd.docker.image.rootfs."
)

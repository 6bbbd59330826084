package scenarios

import "github.com/pushcheck/pushcheck/fakeregistry"

// faultNames lists the catalogue of faults, in its order.
func faultNames() []string {
	var list []string
	for _, k := range fakeregistry.Kinds() {
		list = append(list, k.Name)
	}
	return list
}

// adapters are the foreign clients that the format knows by name. Those without a
// file among the built-in adapters are skipped, unless the user brings one.
var adapters = []string{"docker", "podman", "buildah", "skopeo", "crane", "oras", "regctl", "ctr", "nerdctl", "buildx", "kaniko"}

// eraNames are the builtin pushers that the format knows by name, oldest first.
// Those that pusher.Eras does not have are skipped.
var eraNames = []string{
	"docker-1.8", "docker-1.9", "docker-1.10", "docker-1.13", "docker-20.10", "docker-28", "containerd", "best",
}

// formats are the manifest formats that a registry can be told to accept.
var formats = []string{"schema1", "schema2", "oci", "list", "index"}

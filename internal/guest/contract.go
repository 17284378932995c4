package guest

// What a machine is made of, as gitd builds it and as nodeos-init expects it.
const (
	// AppUID is the user and the group that the app runs as. The layers and the volumes belong to it, so that the app
	// can write beside its own files.
	AppUID = 1000

	Node       = "/usr/bin/node" // the only program of a machine besides init
	AppDir     = "/app"          // where the app's files are
	LayersDir  = "/layers"       // where init mounts the layers that AppDir is made of
	ModulesDir = "/modules"      // in the initramfs of a stock kernel: its modules, and the file ModuleOrder

	// ModuleOrder is a file that names the modules in ModulesDir, one a line, in the order of loading.
	ModuleOrder = ModulesDir + "/order"
)

// The serials of the disks of an image, by which init finds them. The first is the root file system.
const (
	DiskBase   = "base"
	DiskApp    = "app"
	DiskDeps   = "deps"
	DiskDebian = "debian" // packages of Debian, beside the base
)

// VolumeSerial is the serial of the disk of a volume.
func VolumeSerial(name string) string { return "vol-" + name }

// A disk that boots without gitd has the same parts as partitions, and one more, with the message that starts the app.
// The kernel hands init the disk's identity as an environment variable.
const (
	DiskStart    = "start"
	DiskVariable = "NODEOS_DISK"
)

// PartitionName is the name of a part of the disk id. It holds the identity, so that no partition of another disk of
// the same machine is taken for it.
func PartitionName(part, id string) string { return part + "-" + id }

const (
	// MaxSerial is virtio's limit, in bytes: a longer serial would be cut, and not found.
	MaxSerial = 20
	// MaxDisks is how many disks a machine has places for on its bus.
	MaxDisks = 13
	// MaxVolumes is what is left of them beside the four of an image.
	MaxVolumes = MaxDisks - 4
)

// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first process. It makes the host's root file system, which it sees read-only
 * over 9p, its own with an overlay, mounts what a program expects, runs one command, and
 * hands back what it wrote and how it ended.
 *
 * It talks to linux/lab, which starts the guest, in two ways. In: /job in the initramfs, a
 * sequence of records "key=value", each ended by a NUL:
 *
 *	arg=STRING	a word of the command line; one record for each, in order
 *	env=NAME=VALUE	a variable of the command's environment
 *	cwd=PATH	where the command starts
 *	share=PATH	a directory of the host to mount read-write at PATH; the Nth of these
 *			(from 0) has the 9p tag shareN
 *	zram=BYTES	size of the swap device
 *
 * Out: three ports of one virtio-serial device. What the command writes to stdout goes to the
 * first, stderr to the second. The third carries one line "ready" before the command starts,
 * and one line "exit N" (or "fail TEXT") at the very end, after file systems are synced.
 *
 * The command writes into pipes, which this process copies to the ports: a port can be opened
 * only once, and programs do open /dev/stdout.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_STATUS "/dev/vport0p3"
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=524288,"

static int status_port = -1;

struct job {
	char **argv;
	char **envp;
	char **shares;
	const char *cwd;
	unsigned long long zram;
};

/* Stop the machine. QEMU runs with -no-reboot, so this ends it. */
static void __attribute__((noreturn)) stop(void)
{
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void say(const char *format, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	/* Nobody is left to tell if this fails: the lab reports a guest that died. */
	if (status_port < 0 || write(status_port, line, n) != n)
		dprintf(2, "init: %s", line);
}

/* The guest cannot be set up: tell the lab, and stop. */
static void __attribute__((noreturn)) fail(const char *what, const char *which)
{
	say("fail %s %s: %s\n", what, which, strerror(errno));
	stop();
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		fail("mkdir", path);
}

static void must_mount(const char *source, const char *target, const char *type,
		       unsigned long flags, const char *options)
{
	if (mount(source, target, type, flags, options))
		fail("mount", target);
}

/* Mount, unless this kernel does not have the file system. */
static void may_mount(const char *type, const char *target, const char *options)
{
	if (mkdir(target, 0755) && errno != EEXIST && errno != ENOENT && errno != EPERM)
		fail("mkdir", target);
	if (mount(type, target, type, 0, options) && errno != ENODEV && errno != ENOENT)
		fail("mount", target);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		fail("open", path);
	if (write(fd, text, strlen(text)) < 0)
		fail("write", path);
	close(fd);
}

static char *read_job_file(size_t *size)
{
	static const char path[] = "/job";
	struct stat st;
	size_t have = 0;
	char *text;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		fail("open", path);
	text = malloc(st.st_size + 1);
	if (!text)
		fail("read", path);
	while (have < (size_t)st.st_size) {
		ssize_t n = read(fd, text + have, st.st_size - have);

		if (n <= 0)
			fail("read", path);
		have += n;
	}
	close(fd);
	text[have] = '\0';
	*size = have;
	return text;
}

static void append(char ***list, size_t *count, char *word)
{
	*list = realloc(*list, (*count + 2) * sizeof(**list));
	if (!*list)
		fail("append", word);
	(*list)[(*count)++] = word;
	(*list)[*count] = NULL;
}

static void read_job(struct job *job)
{
	size_t size, args = 0, envs = 0, shares = 0;
	char *text = read_job_file(&size);
	char *p, *end = text + size;

	memset(job, 0, sizeof(*job));
	job->cwd = "/";
	for (p = text; p < end; p += strlen(p) + 1) {
		if (!strncmp(p, "arg=", 4))
			append(&job->argv, &args, p + 4);
		else if (!strncmp(p, "env=", 4))
			append(&job->envp, &envs, p + 4);
		else if (!strncmp(p, "share=", 6))
			append(&job->shares, &shares, p + 6);
		else if (!strncmp(p, "cwd=", 4))
			job->cwd = p + 4;
		else if (!strncmp(p, "zram=", 5))
			job->zram = strtoull(p + 5, NULL, 10);
	}
	errno = EINVAL;
	if (!args)
		fail("job", "without a command");
}

/*
 * The root: host's root below, a tmpfs of half the memory above. The host writes to its root
 * while the guest runs, but not to what the guest reads (the lab's user sees to that), so all
 * caches are on.
 */
static void mount_root(void)
{
	make_dir("/host");
	make_dir("/over");
	make_dir("/root");
	must_mount("root", "/host", "9p", MS_RDONLY, P9_OPTIONS "cache=loose");
	must_mount("over", "/over", "tmpfs", 0, "size=50%,mode=755");
	make_dir("/over/upper");
	make_dir("/over/work");
	must_mount("root", "/root", "overlay", 0,
		   "lowerdir=/host,upperdir=/over/upper,workdir=/over/work");
	must_mount("/dev", "/root/dev", NULL, MS_MOVE, NULL);
	if (chdir("/root"))
		fail("chdir", "/root");
	must_mount(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") || chdir("/"))
		fail("chroot", "/root");
}

static void mount_rest(char **shares)
{
	char tag[32];

	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	may_mount("devpts", "/dev/pts", "ptmxmode=666,mode=620");
	may_mount("tmpfs", "/dev/shm", "mode=1777");
	may_mount("mqueue", "/dev/mqueue", NULL);
	may_mount("hugetlbfs", "/dev/hugepages", NULL);
	may_mount("tmpfs", "/run", "mode=755");
	make_dir("/run/lock");
	/* What changes settings of the machine looks whether this is there. */
	make_dir("/run/anonrmap-guest");
	may_mount("debugfs", "/sys/kernel/debug", NULL);
	may_mount("tracefs", "/sys/kernel/tracing", NULL);
	may_mount("cgroup2", "/sys/fs/cgroup", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");

	for (int i = 0; shares && shares[i]; i++) {
		snprintf(tag, sizeof(tag), "share%d", i);
		must_mount(tag, shares[i], "9p", 0, P9_OPTIONS "cache=mmap");
	}
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		fail("set up", "lo");
	close(fd);
}

/* What mkswap does: the header of version 1 in the device's first page. */
static void make_swap(const char *device, unsigned long long bytes)
{
	long page = sysconf(_SC_PAGESIZE);
	char *header = calloc(1, page);
	uint32_t *info;
	int fd;

	if (!header)
		fail("allocate", device);
	info = (uint32_t *)(header + 1024);
	info[0] = 1;			/* version */
	info[1] = bytes / page - 1;	/* last page */
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	fd = open(device, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, header, page) != page || fsync(fd) || close(fd))
		fail("write", device);
	free(header);
	if (swapon(device, 0))
		fail("swapon", device);
}

static void zram_swap(unsigned long long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", bytes);
	write_file("/sys/block/zram0/disksize", text);
	make_swap("/dev/zram0", bytes);
}

static void raise_limits(void)
{
	struct rlimit files = { .rlim_cur = 65536, .rlim_max = 1048576 };

	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("set limit of", "files");
}

static pid_t start_command(const struct job *job, int out, int err)
{
	sigset_t none;
	pid_t pid;
	int in;

	pid = fork();
	if (pid)
		return pid;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	in = open("/dev/null", O_RDONLY);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (in > 2)
		close(in);
	if (chdir(job->cwd)) {
		dprintf(2, "lab: cannot enter %s: %s\n", job->cwd, strerror(errno));
		_exit(125);
	}
	environ = job->envp;
	execvp(job->argv[0], job->argv);
	dprintf(2, "lab: cannot run %s: %s\n", job->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Copy what is in the pipe to the port. Returns how much; 0 at the end; -EAGAIN if none. */
static ssize_t pump(int from, int to)
{
	static char buffer[65536];
	ssize_t n, done, m;

	do {
		n = read(from, buffer, sizeof(buffer));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (done = 0; done < n; done += m) {
		m = write(to, buffer + done, n - done);
		if (m < 0 && errno != EINTR)
			fail("write", "a port");
		if (m < 0)
			m = 0;
	}
	return n;
}

/*
 * Reap what has ended: the command, and processes that lost their parents. Returns the wait
 * status of the command if it was among them, -1 if not.
 */
static int reap(pid_t command)
{
	int status, found = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == command)
			found = status;
	}
	return found;
}

/*
 * Copy until the command has ended and the pipes are empty. Processes that it left behind may
 * hold the pipes open; they are not waited for.
 */
static int run(const struct job *job)
{
	int pipes[2][2], ports[2], status = -1;
	struct signalfd_siginfo info;
	struct pollfd fds[3];
	sigset_t chld;
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		char path[] = "/dev/vport0p1";

		path[sizeof(path) - 2] += i;
		ports[i] = open(path, O_WRONLY | O_CLOEXEC);
		if (ports[i] < 0)
			fail("open", path);
		if (pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK))
			fail("make", "a pipe");
		/* The command's end blocks, as programs expect. */
		fcntl(pipes[i][1], F_SETFL, O_WRONLY);
		fds[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	fds[2] = (struct pollfd){ .fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK),
				  .events = POLLIN };
	if (fds[2].fd < 0)
		fail("make", "a signalfd");

	say("ready\n");
	pid = start_command(job, pipes[0][1], pipes[1][1]);
	if (pid < 0)
		fail("fork for", job->argv[0]);
	close(pipes[0][1]);
	close(pipes[1][1]);

	while (status == -1) {
		if (poll(fds, 3, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents && !pump(pipes[i][0], ports[i]))
				fds[i].fd = -1;
		}
		if (fds[2].revents) {
			while (read(fds[2].fd, &info, sizeof(info)) > 0)
				;
			status = reap(pid);
		}
	}
	for (int i = 0; i < 2; i++) {
		while (pump(pipes[i][0], ports[i]) > 0)
			;
	}
	return status;
}

int main(void)
{
	struct job job;
	int status;

	must_mount("dev", "/dev", "devtmpfs", 0, "mode=755");
	status_port = open(PORT_STATUS, O_WRONLY | O_CLOEXEC);
	read_job(&job);
	mount_root();
	mount_rest(job.shares);
	loopback_up();
	if (job.zram)
		zram_swap(job.zram);
	raise_limits();

	say("start\n");
	status = run(&job);
	sync();
	say("exit %d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	stop();
}

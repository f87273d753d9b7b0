// SPDX-License-Identifier: GPL-2.0
/* What happens around the frames: commands, devices, rules, routes, the module itself. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static char *lines[256];
static int line_count;
const char *module_path;

/* One shell command a line; empty ones and comments aside. */
void disturbances_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512];

	if (!file)
		err(1, "%s", path);
	while (line_count < 256 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			lines[line_count++] = strdup(line);
	}
	fclose(file);
	if (!line_count)
		errx(1, "%s: no command", path);
}

void control(const char *command)
{
	int fd = open("/proc/net/gwmark/control", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* many are wrong, and refused */
	(void)!write(fd, command, strlen(command));
	close(fd);
}

static const char *device(void)
{
	static const char *const devices[] = { "lan0", "lan0", "lan0", "br0", "p1", "tun0", "lan0.7", "none" };

	return PICK(devices);
}

static const char *mac(void)
{
	static char text[4][18];
	static int turn;
	char *mac = text[turn++ % 4];

	if (one_in(16))
		return "00:00:00:00:00:00";
	sprintf(mac, "02:00:00:00:00:%02x", 0x51 + below(6));
	return mac;
}

void command_random(void)
{
	char line[400];
	size_t length;

	switch (below(14)) {
	case 0:
		control("disable");
		/* fall through */
	case 1:
		control("enable");
		return;
	case 2:
		snprintf(line, sizeof(line), "set learn_onlink %s", one_in(2) ? "on" : "off");
		break;
	case 3:
		snprintf(line, sizeof(line), "set %s_mark 0x32/%s", one_in(2) ? "reply" : "orig",
			 one_in(8) ? "0x10" : "0xff");
		break;
	case 4:
	case 5:
		snprintf(line, sizeof(line), "gateway add %s %s 192.0.2.25%d 2001:db8:2::25%d", device(), mac(),
			 below(4), below(4));
		break;
	case 6:
		snprintf(line, sizeof(line), "gateway del %s %s", device(), mac());
		break;
	case 7:
	case 8:
		snprintf(line, sizeof(line), "move %s %s %s%s", device(), mac(), mac(), one_in(3) ? " keep" : "");
		break;
	case 9:
		snprintf(line, sizeof(line), "flush %s", one_in(2) ? device() : "");
		break;
	case 10:
	case 11:
		snprintf(line, sizeof(line), "uplink %s %s", device(), mac());
		break;
	case 12:
		snprintf(line, sizeof(line), "uplink %s", one_in(4) ? "none" : "auto");
		break;
	default:
		length = below(300);
		memset(line, ' ' + below(90), length);
		line[length] = '\0';
	}
	if (one_in(12) && *line)
		line[below(strlen(line))] = 1 + below(255);
	control(line);
}

static void read_all(const char *path)
{
	static char buffer[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (read(fd, buffer, 1 + below(sizeof(buffer))) > 0)
		;
	close(fd);
}

/* Unloads the module under way, and loads it with other bounds. */
void module_renew(void)
{
	stats_collect(true);
	run("rmmod gwmark");
	run("insmod %s max_gateways=%u label_word=%u", module_path, one_in(2) ? 6 : 1 + below(300), below(3));
	control("enable");
}

void disturb(void)
{
	static const char *const files[] = { "gateways", "flows", "stats", "config", "control" };
	char path[64];
	enum link link;

	switch (below(16)) {
	case 0:
		link_reopen(below(LINKS));
		return;
	case 1:
		link = below(LINKS);
		link_carrier(link, one_in(2));
		return;
	case 2:
		snprintf(path, sizeof(path), "/proc/net/gwmark/%s", PICK(files));
		read_all(path);
		return;
	case 3:
		if (one_in(4))
			module_renew();
		else
			listener_toggle();
		return;
	case 4:
	case 5:
	case 6:
		/* what went wrong is right again */
		for (link = 0; link < LINKS; link++)
			link_carrier(link, true);
		run("\"$LAB_LINK_UP\" all");
		control("enable");
		control("uplink auto");
		control("set reply_mark 0x32");
		control("set orig_mark 0x32");
		return;
	default:
		run("%s", lines[below(line_count)]);
	}
}

console.log('Hello world!');
